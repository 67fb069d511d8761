"""Forecast of the cost of this month and quarter, and of the budgets that will be exceeded."""

from __future__ import annotations

from datetime import date
from math import fsum
from typing import Annotated, TypedDict

from ...api.errors import ApiError
from ...api.report_config import QueryConfig
from ...api.value_kinds import Members
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import CurrencyArgument, ResultCurrency, fetch_customer_currency
from ..partial_results import FailedPart, gather_partial
from ..periods import Period, month_of, quarter_of, utc_date, with_period
from ..tables import column_names, complete_rows, to_number
from ..tools.composed import composed_tool
from .breakdown import COST_METRIC, Cloud, with_scope
from .budgets import BudgetBreach, CheckedBudgets, find_breaches
from .run_rate import ProjectedPeriod, period_cost, project_cost
from .weekday_pace import LEVEL_DAYS, MIN_HISTORY_DAYS, PACE_DAYS, UNSETTLED_DAYS, count_settled_days, learn_pace

SPREAD_METHOD = (
    "low and high: 8 of 10 cases by the spread of past days; unfinished days far below the pace of their weekday count at "
    "that pace"
)
API_METHOD = f"DoiT's forecast for each day to come; {SPREAD_METHOD}"
PACE_METHOD = (
    f"pace of each weekday in the last {PACE_DAYS // 7} weeks at the level of the last {LEVEL_DAYS} settled days; "
    + SPREAD_METHOD
)
TOO_LITTLE_HISTORY = (
    "none: there are {days} days of settled costs, and a forecast needs " + f"{MIN_HISTORY_DAYS} (the last "
    f"{UNSETTLED_DAYS} days are not final)"
)


class SpendForecast(TypedDict, total=False):
    """Expected cost."""

    month: Annotated[
        JsonObject,
        "The running month: from, to, spent so far, ahead (from now to its end), expected (both), low and high (8 of 10 "
        "cases), unfinishedDays (raised to their pace), and before: what the whole month before cost. Null: too little "
        "history.",
        Members(ProjectedPeriod),
    ]
    quarter: Annotated[JsonObject, "The same for the current quarter.", Members(ProjectedPeriod)]
    method: Annotated[str, "How the remaining days are projected, or why nothing is."]
    budgets: Annotated[
        list[JsonObject],
        "Budgets that are exceeded or at risk, the first to break first: amount, spent, percentUsed, "
        "forecastedUtilization (DoiT's forecast, as in list_budgets), status, exceededOn, breaksOn, basis, period. Each "
        "in its own currency.",
        Members(BudgetBreach),
    ]
    budgetsChecked: int
    currency: ResultCurrency
    failed: Annotated[list[JsonObject], "Parts that could not be had, and why.", Members(FailedPart)]


@composed_tool(
    area="reports",
    search_hint="Forecast, projected bill, month-end estimate, budget overrun",
    slow=True,
    default_list=True,
)
async def forecast_spend(
    call: Call, *, cloud: Cloud = None, currency: CurrencyArgument = None
) -> Annotated[JsonObject, SpendForecast]:
    """Forecast cost to the end of this month and quarter, and name the budgets that will be exceeded and when. Budgets
    are checked as defined, whatever cloud is selected."""
    today = utc_date(call.now)
    config = forecast_query(cloud, currency, today)
    work = {"costs": fetch_costs(call, config), "budgets": find_breaches(call)}
    parts = await gather_partial(work if currency else {**work, "currency": fetch_customer_currency(call.doit)})
    if "costs" in parts.errors:
        raise parts.errors["costs"]
    checked: CheckedBudgets | None = parts.results.get("budgets")
    failed = [*parts.failures, *(checked["failed"] if checked else ())]
    return {
        **project_periods(parts.results["costs"], today),
        "currency": currency or parts.results.get("currency"),
        **({"budgets": checked["budgets"], "budgetsChecked": checked["budgetsChecked"]} if checked else {}),
        **({"failed": failed} if failed else {}),
    }


def project_periods(answer: JsonObject, today: date) -> JsonObject:
    """Return the projected month and quarter from the *answer* to forecast_query(), and how they are projected."""
    actual, forecast = cost_by_day(answer, "rows"), cost_by_day(answer, "forecastRows")
    pace = learn_pace(actual, today)
    month, quarter = month_of(today), quarter_of(today)
    if pace is None:
        method = TOO_LITTLE_HISTORY.format(days=count_settled_days(actual, today))
    else:
        method = API_METHOD if any(day > today for day in forecast) else PACE_METHOD
    return {
        **{
            name: project_cost(period, actual, forecast, pace, today).as_json(
                period.previous(), period_cost(period.previous(), actual)
            )
            for name, period in (("month", month), ("quarter", quarter))
        },
        "method": method,
    }


async def fetch_costs(call: Call, config: QueryConfig) -> JsonObject:
    """Return the costs by day, with the API's forecast if it has enough history for one."""
    try:
        return await call.doit.reports.run_query(config=config)
    except ApiError as error:
        if error.kind != "refused":
            raise
    # The API rejects forecasts if it has too little history; the costs alone are still useful.
    plain = config.copy()
    del plain["forecastSettings"]
    return await call.doit.reports.run_query(config=plain)


def forecast_query(cloud: str | None, currency: str | None, today: date) -> QueryConfig:
    """Return the query for cost by day since the previous quarter, with a forecast to the end of this quarter."""
    quarter = quarter_of(today)
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "timeInterval": "day",
        # At least a day, though the quarter may end today.
        "forecastSettings": {"mode": "totals", "futureTimeIntervals": max(1, (quarter.last - today).days)},
    }
    return with_period(with_scope(config, cloud, currency), Period(quarter.previous().first, today))


def cost_by_day(answer: JsonObject, rows_key: str) -> dict[date, float]:
    """Return the cost of each day that has rows; rows with an unreadable date are skipped."""
    names = column_names(answer)
    if not {"year", "month", "day", "cost"} <= set(names):
        return {}
    places = [names.index(one) for one in ("year", "month", "day")]
    cost = names.index("cost")
    cells: dict[date, list[float]] = {}
    for row in complete_rows(answer, rows_key):
        try:
            # Months and days come alone or with their year: 5, "05", "2026-05".
            when = date(*(int(str(row[place]).rpartition("-")[2]) for place in places))
        except (ValueError, TypeError, OverflowError):
            continue
        cells.setdefault(when, []).append(to_number(row[cost]))
    return {when: fsum(amounts) for when, amounts in cells.items()}
