"""What the month and the quarter will cost, and which budgets that breaks."""

from __future__ import annotations

from datetime import date
from math import fsum
from typing import Annotated, TypedDict

from ...api.areas.budgets import Budgets
from ...api.pagination import LARGE, pages
from ...api.report_config import Config, provider_of
from ...api.timestamps import day
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import AskedCurrency, StatedCurrency, own_currency
from ..partial_results import together
from ..periods import Period, month_of, over, quarter_of, today_of
from ..tables import columns_of, number, rows_of
from .breakdown import COST, Cloud
from .run_rate import LEARNT, breach, cost_of, outlook, pace

API = "DoiT's forecast for each day to come"
PACE = f"mean of the last {LEARNT} days for each day to come"
BUDGET_PAGES = 3


class Forecast(TypedDict, total=False):
    """Expected cost."""

    month: Annotated[
        JsonObject,
        "The running month: from, to, spent so far, ahead (from now to its end), expected (both), and before: what the "
        "whole month before cost.",
    ]
    quarter: Annotated[JsonObject, "The same of the running quarter."]
    method: Annotated[str, "How the days to come were reckoned."]
    budgets: Annotated[
        list[JsonObject],
        "Budgets that are exceeded or will be, the first to break first: amount, spent, expected at the end of their "
        "period if they go on like this, breaksOn, basis. Each in its own currency.",
    ]
    budgetsChecked: int
    currency: StatedCurrency
    failed: Annotated[list[JsonObject], "Parts that could not be had, and why."]


async def forecast_spend(
    call: Call, *, cloud: Cloud = None, currency: AskedCurrency = None
) -> Annotated[JsonObject, Forecast]:
    """Forecast cost to the end of this month and quarter, and name the budgets that will be exceeded and when. Budgets
    are checked as they are defined, whatever cloud is asked about."""
    today = today_of(call.now)
    month, quarter = month_of(today), quarter_of(today)
    config = forecast_config(cloud, currency, today, quarter)
    work = {"costs": call.doit.reports.run_query(config=config), "budgets": budgets_of(call.doit.budgets)}
    parts = await together(work if currency else {**work, "currency": own_currency(call.doit)})
    if "costs" in parts.failed:
        # The API refuses forecasts where it has too little history; the costs alone still say something.
        if parts.failed["costs"].kind != "refused":
            raise parts.failed["costs"]
        plain = config.copy()
        del plain["forecastSettings"]
        answer = await call.doit.reports.run_query(config=plain)
    else:
        answer = parts.found["costs"]
    actual, ahead = by_day(answer, "rows"), by_day(answer, "forecastRows")
    daily = pace(actual, today)
    found: JsonObject = {
        "month": outlook(month, actual, ahead, daily, today).shown(cost_of(month.before(), actual)),
        "quarter": outlook(quarter, actual, ahead, daily, today).shown(cost_of(quarter.before(), actual)),
        "method": API if any(one > today for one in ahead) else PACE,
        "currency": currency or parts.found.get("currency"),
    }
    failed = [one for one in parts.failures if one["part"] != "costs"]
    if "budgets" in parts.found:
        rows = parts.found["budgets"]
        found |= {"budgets": breaches(rows, today), "budgetsChecked": len(rows)}
    return found | ({"failed": failed} if failed else {})


def forecast_config(cloud: str | None, currency: str | None, today: date, quarter: Period) -> Config:
    """The query for cost by day from the quarter before up to today, with a forecast to this quarter's end."""
    config: Config = {
        "dataSource": "billing",
        "metrics": [COST],
        "timeInterval": "day",
        # At least a day, though the quarter may end today.
        "forecastSettings": {"mode": "totals", "futureTimeIntervals": max(1, (quarter.last - today).days)},
    }
    if cloud is not None:
        config["filters"] = [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": [provider_of(cloud)]}]
    if currency is not None:
        config["currency"] = currency  # type: ignore[typeddict-item]  # the arguments' schema has checked it
    return over(config, Period(quarter.before().first, today))


async def budgets_of(budgets: Budgets) -> list[JsonObject]:
    """The customer's budgets, a bounded number of them."""
    return [row async for page in pages(budgets.list_budgets, most=BUDGET_PAGES, maxResults=LARGE) for row in page.rows]


def breaches(budgets: list[JsonObject], today: date) -> list[JsonObject]:
    """The budgets that do not hold: exceeded ones first, then by the day they break."""
    all_ = (breach(budget, today, day(budget.get("forecastedUtilizationDate"))) for budget in budgets)
    found = [one for one in all_ if one is not None]
    return sorted(found, key=lambda one: (one["breaksOn"] or "", -(one["spent"] / one["amount"])))


def by_day(answer: JsonObject, name: str) -> dict[date, float]:
    """Cost of each day that has rows; rows whose date cannot be read are left out."""
    names = columns_of(answer)
    if not {"year", "month", "day", "cost"} <= set(names):
        return {}
    places = [names.index(one) for one in ("year", "month", "day")]
    cost = names.index("cost")
    cells: dict[date, list[float]] = {}
    for row in rows_of(answer, name):
        try:
            # Months and days come alone or behind their year: 5, "05", "2026-05".
            when = date(*(int(str(row[place]).rpartition("-")[2]) for place in places))
        except (ValueError, TypeError, OverflowError):
            continue
        cells.setdefault(when, []).append(number(row[cost]))
    return {when: fsum(amounts) for when, amounts in cells.items()}
