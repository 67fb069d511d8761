"""The series of the cloud overview: daily costs by cloud, of the period and of the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import date

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import PartialResults
from ..periods.alignment import align
from ..periods.parts import split_period
from ..periods.period import Period, ReportedPeriod
from ..tools.series import SERIES_SECONDS, MissingSeries, Series
from .answers import CLOUD_GROUP, CostRequest, query_rows
from .cost_series import bar_series, series_dimension, time_series
from .group_costs import CostRow, RankedCosts, cost_by_period, rank_groups, total_cost
from .scope import Scope

DAILY = "daily costs"
BEFORE = "daily costs of the period before"
BY_CLOUD = "costs by cloud"
MAX_DAILY_DAYS = 92
"""The longest period whose days are queried: one quarter, and as many days of the period before."""
CREDITS_BY_MONTH = "the API has credits by month only"
TOO_LONG = f"the period has more than {MAX_DAILY_DAYS} days"


def request_daily_costs(
    call: Call, scope: Scope, period: ReportedPeriod, currency: str
) -> dict[str, Awaitable[list[CostRow]]]:
    """Return the query for the daily costs by cloud in *period* and the one before; empty if nothing is queried."""
    if explain_missing_costs(scope, period):
        return {}
    both = Period(align(period).before.elapsed.first, period.elapsed.last)
    request = CostRequest(scope, period, interval="day")

    async def query() -> list[CostRow]:
        async with asyncio.timeout(SERIES_SECONDS):
            return await query_rows(call, request, (CLOUD_GROUP,), currency, period=both)

    return {DAILY: query()}


def explain_missing_costs(scope: Scope, period: ReportedPeriod) -> str:
    """Return why there are no daily costs; "" if there are."""
    if scope.include_credits:
        return CREDITS_BY_MONTH
    return TOO_LONG if period.days > MAX_DAILY_DAYS else ""


def split_daily(queried: PartialResults) -> tuple[PartialResults, PartialResults]:
    """Return the sections that models read, and the daily costs, whose failure models need not know."""
    sections, daily = (
        PartialResults(
            {name: rows for name, rows in queried.results.items() if (name == DAILY) is is_daily},
            {name: error for name, error in queried.errors.items() if (name == DAILY) is is_daily},
        )
        for is_daily in (False, True)
    )
    return sections, daily


def overview_series(
    overview: JsonObject, daily: PartialResults, scope: Scope, period: ReportedPeriod, currency: str
) -> tuple[list[Series], list[MissingSeries]]:
    """Return the clouds as bars, the daily costs of both periods, and what is missing."""
    by_cloud = overview.get("costByCloud", {"rows": []})
    bars = [[cloud, cloud, cost, share] for cloud, cost, share in by_cloud["rows"]]
    series: list[Series] = [{**bar_series(BY_CLOUD, bars), "dimension": series_dimension(CLOUD_GROUP)}]
    missing: list[MissingSeries] = [{"part": DAILY, "why": one["why"]} for one in daily.failures]
    rows: list[CostRow] = daily.results.get(DAILY, [])
    if reason := explain_missing_costs(scope, period):
        missing.append({"part": DAILY, "why": reason})
    if not rows:
        return series, missing
    before = align(period).before
    series.append(daily_series(DAILY, rows, period, currency))
    # If there are no costs on or before its first day, the data may begin within the period.
    if min(row.period for row in rows) <= before.elapsed.first.isoformat():
        series.append(daily_series(BEFORE, rows, before, currency))
    else:
        missing.append({"part": BEFORE, "why": "the data does not cover it"})
    return series, missing


def daily_series(name: str, rows: list[CostRow], period: ReportedPeriod, currency: str) -> Series:
    """Return the costs of the days of *period*, in total and by cloud."""
    own = [row for row in rows if period.elapsed.first <= date.fromisoformat(row.period) <= period.elapsed.last]
    ranked = RankedCosts(rank_groups(own), currency, total_cost(own), len(own))
    days = list(split_period(period.elapsed, "day"))
    series = time_series(name, "day", days, cost_by_period(own), period.final_through, currency, ranked)
    return {**series, "dimension": series_dimension(CLOUD_GROUP)}
