"""Cost trends as data: the queries of a trend, and its months, weeks and days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import FailedPart, gather_partial, make_failures_member
from ..periods.alignment import AlignedPeriods
from ..periods.parts import Interval, PeriodPart, part_label, split_period
from ..periods.period import Period, ReportedPeriod, month_of, subtract_months
from ..tools.series import ResultWithSeries, Series, make_series_set
from .amounts import ZERO, amount_as_json
from .answers import CostAnswer, CostRequest, cut_to_data_start, query_costs, query_rows
from .cost_series import series_dimension, time_series
from .data_start import DATA_START_PART
from .group_costs import CostRow, RankedCosts, as_table, cost_by_period, rank_groups, split_by_groups, total_cost
from .statement import cost_statement
from .trend_months import (
    MonthCost,
    align_running_month,
    compare_final_days,
    compare_running_month,
    find_final_days,
    month_rows,
    select_known_parts,
    unsettled_note,
    with_beginning,
)

BEGIN_PART = "first day of these costs"


class RunningMonthCosts(NamedTuple):
    """What the current month is compared with: the days of the month *before*, and the *final* days of both months."""

    before: Decimal
    final: tuple[Decimal, Decimal] | None


@dataclass(frozen=True, slots=True)
class TrendAnswer:
    """The costs of a trend, and what its current month is compared with, if it has one.

    *begin* is the day on which the costs of the scope begin; None if that is the first day of a month, or earlier.
    """

    answer: CostAnswer
    running: RunningMonthCosts | None = None
    failures: list[FailedPart] = field(default_factory=list)
    begin: date | None = None

    @property
    def is_start_known(self) -> bool:
        """Whether the start of the data is known. Only then do months before the first one with costs count as 0."""
        return all(failure["part"] != DATA_START_PART for failure in self.answer.failures)


async def query_trend(call: Call, request: CostRequest, interval: Interval, currency: str) -> TrendAnswer:
    """Return the costs of a trend. Raise ApiError."""
    aligned = None
    if interval == "month":
        aligned = align_running_month(list(split_period(request.period.elapsed, interval)), request.period)
    work: dict[str, Any] = {"costs": query_costs(call, request, currency)}
    if aligned is not None:
        work["likeForLike"] = _query_running_month(call, request, aligned, currency)
    parts = await gather_partial(work)
    parts.require("costs")
    answer: CostAnswer = parts.results["costs"]
    begins: dict[str, Any] = {}
    if interval == "month" and request.scope.is_limited and answer.first_period is not None:
        month = date.fromisoformat(f"{answer.first_period}-01")
        begins[BEGIN_PART] = find_begin(call, request, month, currency)
    later = await gather_partial(begins)
    failures = [*parts.failures, *later.failures]
    return TrendAnswer(answer, parts.results.get("likeForLike"), failures, later.results.get(BEGIN_PART))


async def find_begin(call: Call, request: CostRequest, month: date, currency: str) -> date | None:
    """Return the first day with costs if that is within *month*, the first one with costs; otherwise None.

    Costs in the month before mean that they only paused. Raise ApiError.
    """
    days = Period(subtract_months(month, 1), min(month_of(month).last, request.period.today))
    # Credits are known by month only.
    by_day = replace(request, interval="day", scope=replace(request.scope, include_credits=False))
    rows = await query_rows(call, by_day, (), currency, period=days)
    first = min((date.fromisoformat(row.period) for row in rows if row.cost), default=month)
    return first if first > month else None


async def _query_running_month(
    call: Call, request: CostRequest, aligned: AlignedPeriods, currency: str
) -> RunningMonthCosts:
    """Return what the current month is compared with. Raise ApiError."""
    periods = [aligned.before.elapsed, *(find_final_days(aligned) or ())]
    work = {str(at): query_rows(call, request, (), currency, period=period) for at, period in enumerate(periods)}
    parts = await gather_partial(work)
    for error in parts.errors.values():
        raise error
    before, *final = (total_cost(rows) for rows in parts.results.values())
    return RunningMonthCosts(before, (final[0], final[1]) if final else None)


class TrendCosts(NamedTuple):
    """The parts of a trend with costs, the total of each, and the groups; None if unknown or not requested."""

    period: ReportedPeriod
    parts: list[PeriodPart]
    known: list[PeriodPart]
    totals: dict[str, Decimal] | None
    ranked: RankedCosts | None


def sum_trend(request: CostRequest, interval: Interval, trend: TrendAnswer, currency: str) -> TrendCosts:
    """Return the costs of a trend by part and by group."""
    answer = trend.answer
    # The first month with data may be partial, and there is no month to compare it with.
    period = cut_to_data_start(request.period, answer.data_start)
    parts = with_beginning(list(split_period(period.elapsed, interval)), trend.begin)
    totals = None if answer.total is None else cost_by_period(answer.total, _choose_part_label(interval))
    ranked = None
    if request.groups:
        total = None if answer.total is None else total_cost(answer.total)
        ranked = RankedCosts(rank_groups(answer.groups), currency, total, request.top or len(answer.groups))
    known = select_known_parts(parts, totals or {}, is_start_known=trend.is_start_known)
    return TrendCosts(period, parts, list(known), totals, ranked)


def make_trend(request: CostRequest, interval: Interval, trend: TrendAnswer, currency: str) -> ResultWithSeries:
    """Return the trend as the tool result shows it, with its costs by period as a series."""
    answer = trend.answer
    costs = sum_trend(request, interval, trend, currency)
    statement = cost_statement(costs.period, currency, request.scope, answer.clouds)
    result: JsonObject = {}
    if costs.totals is not None and interval == "month":
        result["months"] = _make_months(request, costs.parts, costs.totals, trend, currency)
    if costs.ranked is not None:
        groups, rows = split_by_groups(costs.ranked, len(request.groups), costs.ranked.top)
        result |= {"groups": groups, "total": costs.ranked.totals()}
        if costs.totals is not None and interval != "month":
            result["totals"] = [
                {"period": part.label, "cost": amount_as_json(costs.totals.get(part.label, ZERO), currency)}
                for part in costs.known
            ]
        table = as_table(rows, request.groups, currency, _choose_part_label(interval), has_zeros=False)
    else:
        rows = [CostRow((), (), part.label, (costs.totals or {}).get(part.label, ZERO)) for part in costs.known]
        result["total"] = {"all": None if costs.totals is None else amount_as_json(total_cost(rows), currency)}
        table = as_table(rows, (), currency)
    result |= statement | table
    if partial := [part.as_json for part in costs.parts if part.is_partial]:
        result["partial"] = partial
    running = align_running_month(costs.parts, request.period) if interval == "month" else None
    begin = f"These costs begin on {trend.begin.isoformat()}." if trend.begin else None
    if notes := [note for note in (begin, running and unsettled_note(running)) if note]:
        result["note"] = " ".join(notes)
    result |= make_failures_member([*answer.failures, *trend.failures])
    return ResultWithSeries(result, make_series_set(statement, [_trend_series(request, interval, costs, currency)]))


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
        _choose_part_label(interval),
    )
    return {**series, "dimension": series_dimension(request.groups[0])} if request.groups else series


def _choose_part_label(interval: Interval) -> Callable[[str], str]:
    """Return a function that names the part of a trend that a month or day of the API belongs to."""
    if interval != "week":
        return str
    return lambda day: part_label(date.fromisoformat(day), "week")


def _make_months(
    request: CostRequest,
    parts: list[PeriodPart],
    totals: Mapping[str, Decimal],
    trend: TrendAnswer,
    currency: str,
) -> list[MonthCost]:
    """Return the months; the current one is compared with the same days of the month before."""
    running = trend.running
    months = month_rows(parts, totals, currency, request.period.today, is_start_known=trend.is_start_known)
    aligned = align_running_month(parts, request.period)
    if months and aligned is not None and running is not None:
        after = totals.get(parts[-1].label, ZERO)
        compared = compare_running_month(aligned, running.before, after, currency)
        last = aligned.after.final_through
        final = None
        if last is not None and running.final is not None:
            final = compare_final_days(last, *running.final, currency)
        if trend.begin is not None and trend.begin > aligned.before.whole.first:
            # Fewer days of the month before have costs to compare with.
            compared["changePercent"] = None
            final = final and {**final, "changePercent": None}
        months[-1]["likeForLike"] = {**compared, "final": final}
    return months
