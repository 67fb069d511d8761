"""Cost trends as data: the queries of a trend, and its months, weeks and days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import FailedPart, failed_members, gather_partial
from ..periods.alignment import AlignedPeriods
from ..periods.parts import Interval, PeriodPart, part_label, split_period
from ..periods.period import ReportedPeriod
from ..tools.series import ResultWithSeries, Series, stated_set
from .amounts import ZERO, amount_as_json
from .answers import CostAnswer, CostRequest, period_with_data, query_costs, query_rows
from .cost_series import dimension_of, time_series
from .group_costs import CostRow, RankedCosts, as_table, cost_by_period, rank_groups, split_by_groups, total_cost
from .statement import cost_statement
from .trend_months import (
    MonthCost,
    compare_final_days,
    compare_running_month,
    final_days,
    known_parts,
    month_rows,
    running_month,
    unsettled_note,
)


@dataclass(frozen=True, slots=True)
class RunningMonthCosts:
    """What the running month is compared with: the days of the month *before*, and the *final* days of both months."""

    before: Decimal
    final: tuple[Decimal, Decimal] | None


@dataclass(frozen=True, slots=True)
class TrendAnswer:
    """The costs of a trend, and what its running month is compared with, if it has one."""

    answer: CostAnswer
    running: RunningMonthCosts | None = None
    failures: list[FailedPart] = field(default_factory=list)


async def query_trend(call: Call, request: CostRequest, interval: Interval, currency: str) -> TrendAnswer:
    """Return the costs of a trend. Raise ApiError."""
    aligned = None
    if interval == "month":
        aligned = running_month(list(split_period(request.period.elapsed, interval)), request.period)
    work: dict[str, Any] = {"costs": query_costs(call, request, currency)}
    if aligned is not None:
        work["likeForLike"] = _query_running_month(call, request, aligned, currency)
    parts = await gather_partial(work)
    parts.require("costs")
    return TrendAnswer(parts.results["costs"], parts.results.get("likeForLike"), parts.failures)


async def _query_running_month(
    call: Call, request: CostRequest, aligned: AlignedPeriods, currency: str
) -> RunningMonthCosts:
    """Return what the running month is compared with. Raise ApiError."""
    periods = [aligned.before.elapsed, *(final_days(aligned) or ())]
    work = {str(at): query_rows(call, request, (), currency, period=period) for at, period in enumerate(periods)}
    parts = await gather_partial(work)
    for error in parts.errors.values():
        raise error
    before, *final = (total_cost(rows) for rows in parts.results.values())
    return RunningMonthCosts(before, (final[0], final[1]) if final else None)


@dataclass(frozen=True, slots=True)
class TrendCosts:
    """The parts of a trend with costs, what everything cost in each, and the groups; None where unknown or not asked."""

    period: ReportedPeriod
    parts: list[PeriodPart]
    known: list[PeriodPart]
    totals: dict[str, Decimal] | None
    ranked: RankedCosts | None


def sum_trend(request: CostRequest, interval: Interval, answer: CostAnswer, currency: str) -> TrendCosts:
    """Return the costs of a trend by part and by group."""
    # The first month with data may be partial, and has nothing to compare with.
    period = period_with_data(request.period, answer.data_start)
    parts = list(split_period(period.elapsed, interval))
    totals = None if answer.total is None else cost_by_period(answer.total, _bucket(interval))
    ranked = None
    if request.groups:
        total = None if answer.total is None else total_cost(answer.total)
        ranked = RankedCosts(rank_groups(answer.groups), currency, total, request.top or len(answer.groups))
    return TrendCosts(period, parts, list(known_parts(parts, totals or {})), totals, ranked)


def make_trend(request: CostRequest, interval: Interval, trend: TrendAnswer, currency: str) -> ResultWithSeries:
    """Return the trend as the tool result shows it, with its costs by period as a series."""
    answer = trend.answer
    costs = sum_trend(request, interval, answer, currency)
    statement = cost_statement(costs.period, currency, request.scope, answer.clouds)
    result: JsonObject = {}
    if costs.totals is not None and interval == "month":
        result["months"] = _months(request, costs.parts, costs.totals, trend.running, currency)
    if costs.ranked is not None:
        groups, rows = split_by_groups(costs.ranked, len(request.groups), costs.ranked.top)
        result |= {"groups": groups, "total": costs.ranked.totals()}
        if costs.totals is not None and interval != "month":
            result["totals"] = [
                {"period": part.label, "cost": amount_as_json(costs.totals.get(part.label, ZERO), currency)}
                for part in costs.known
            ]
        table = as_table(rows, request.groups, currency, _bucket(interval), has_zeros=False)
    else:
        rows = [CostRow((), (), part.label, (costs.totals or {}).get(part.label, ZERO)) for part in costs.known]
        result["total"] = {"all": None if costs.totals is None else amount_as_json(total_cost(rows), currency)}
        table = as_table(rows, (), currency)
    result |= statement | table
    if partial := [part.as_json for part in costs.parts if part.is_partial]:
        result["partial"] = partial
    running = running_month(costs.parts, request.period) if interval == "month" else None
    if running is not None and (unsettled := unsettled_note(running)) is not None:
        result["note"] = unsettled
    result |= failed_members([*answer.failures, *trend.failures])
    return ResultWithSeries(result, stated_set(statement, [_trend_series(request, interval, costs, currency)]))


def _trend_series(request: CostRequest, interval: Interval, costs: TrendCosts, currency: str) -> Series:
    """Return the costs of each period from the first one with costs; of all periods if only groups are known."""
    series = time_series(
        f"costs by {interval}",
        interval,
        costs.parts if costs.ranked is not None and costs.totals is None else costs.known,
        costs.totals,
        costs.period.final_through,
        currency,
        costs.ranked,
        _bucket(interval),
    )
    return {**series, "dimension": dimension_of(request.groups[0])} if request.groups else series


def _bucket(interval: Interval) -> Callable[[str], str]:
    """Return a function that names the part of a trend that a month or day of the API belongs to."""
    if interval != "week":
        return str
    return lambda day: part_label(date.fromisoformat(day), "week")


def _months(
    request: CostRequest,
    parts: list[PeriodPart],
    totals: Mapping[str, Decimal],
    running: RunningMonthCosts | None,
    currency: str,
) -> list[MonthCost]:
    """Return the months; the running one beside the same days of the month before."""
    months = month_rows(parts, totals, currency, request.period.today)
    aligned = running_month(parts, request.period)
    if months and aligned is not None and running is not None:
        after = totals.get(parts[-1].label, ZERO)
        compared = compare_running_month(aligned, running.before, after, currency)
        last = aligned.after.final_through
        if last is None or running.final is None:
            months[-1]["likeForLike"] = {**compared, "final": None}
        else:
            months[-1]["likeForLike"] = {**compared, "final": compare_final_days(last, *running.final, currency)}
    return months
