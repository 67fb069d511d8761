"""Forecast of the cost of this month and quarter, and of the budgets that will be exceeded."""

from __future__ import annotations

from datetime import date
from math import fsum
from typing import Annotated, TypedDict

from ...api.areas.budgets import Budgets
from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages
from ...api.report_config import QueryConfig
from ...api.timestamps import format_date
from ...api.value_kinds import Members
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import CurrencyArgument, ResultCurrency, fetch_customer_currency
from ..partial_results import FailedPart, gather_partial
from ..periods import Period, month_of, quarter_of, utc_date, with_period
from ..tables import column_names, complete_rows, to_number
from ..tools.composed import composed_tool
from .old_queries import COST_METRIC, Cloud, with_scope
from .run_rate import (
    RUN_RATE_DAYS,
    BudgetBreach,
    ProjectedPeriod,
    period_cost,
    predict_breach,
    project_cost,
    run_rate,
)

API_METHOD = "DoiT's forecast for each day to come"
RUN_RATE_METHOD = f"mean of the last {RUN_RATE_DAYS} days for each day to come"
MAX_BUDGET_PAGES = 3


class SpendForecast(TypedDict, total=False):
    """Expected cost."""

    month: Annotated[
        JsonObject,
        "The running month: from, to, spent so far, ahead (from now to its end), expected (both), and before: what the "
        "whole month before cost.",
        Members(ProjectedPeriod),
    ]
    quarter: Annotated[JsonObject, "The same for the current quarter.", Members(ProjectedPeriod)]
    method: Annotated[str, "How the remaining days are projected."]
    budgets: Annotated[
        list[JsonObject],
        "Budgets that are exceeded or will be, the first to break first: amount, spent, expected at the end of their "
        "period if they go on like this, breaksOn, basis. Each in its own currency.",
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
    month, quarter = month_of(today), quarter_of(today)
    config = forecast_query(cloud, currency, today, quarter)
    work = {"costs": call.doit.reports.run_query(config=config), "budgets": fetch_budgets(call.doit.budgets)}
    parts = await gather_partial(work if currency else {**work, "currency": fetch_customer_currency(call.doit)})
    if "costs" in parts.errors:
        # The API rejects forecasts if it has too little history; the costs alone are still useful.
        if parts.errors["costs"].kind != "refused":
            raise parts.errors["costs"]
        plain = config.copy()
        del plain["forecastSettings"]
        answer = await call.doit.reports.run_query(config=plain)
    else:
        answer = parts.results["costs"]
    actual, ahead = cost_by_day(answer, "rows"), cost_by_day(answer, "forecastRows")
    daily = run_rate(actual, today)
    found: JsonObject = {
        "month": project_cost(month, actual, ahead, daily, today).as_json(period_cost(month.previous(), actual)),
        "quarter": project_cost(quarter, actual, ahead, daily, today).as_json(period_cost(quarter.previous(), actual)),
        "method": API_METHOD if any(one > today for one in ahead) else RUN_RATE_METHOD,
        "currency": currency or parts.results.get("currency"),
    }
    failed = [one for one in parts.failures if one["part"] != "costs"]
    if "budgets" in parts.results:
        rows = parts.results["budgets"]
        found |= {"budgets": find_breaches(rows, today), "budgetsChecked": len(rows)}
    return found | ({"failed": failed} if failed else {})


def forecast_query(cloud: str | None, currency: str | None, today: date, quarter: Period) -> QueryConfig:
    """Return the query for cost by day since the previous quarter, with a forecast to the end of this quarter."""
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "timeInterval": "day",
        # At least a day, though the quarter may end today.
        "forecastSettings": {"mode": "totals", "futureTimeIntervals": max(1, (quarter.last - today).days)},
    }
    return with_period(with_scope(config, cloud, currency), Period(quarter.previous().first, today))


async def fetch_budgets(budgets: Budgets) -> list[JsonObject]:
    """Return the customer's budgets, up to a limit."""
    return [
        row
        async for page in iterate_pages(budgets.list_budgets, max_pages=MAX_BUDGET_PAGES, maxResults=LARGE_PAGE_SIZE)
        for row in page.rows
    ]


def find_breaches(budgets: list[JsonObject], today: date) -> list[JsonObject]:
    """Return the budgets that are or will be exceeded: exceeded ones first, then by date."""
    all_ = (predict_breach(budget, today, format_date(budget.get("forecastedUtilizationDate"))) for budget in budgets)
    found = [one for one in all_ if one is not None]
    return sorted(found, key=lambda one: (one["breaksOn"] or "", -(one["spent"] / one["amount"])))


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
