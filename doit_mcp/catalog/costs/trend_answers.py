"""Cost trends as data: the queries of a trend, and its months, weeks and days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import FailedPart, failed_members, gather_partial
from ..periods.alignment import AlignedPeriods
from ..periods.parts import Interval, PeriodPart, part_label, split_period
from .amounts import ZERO, amount_as_json
from .answers import CostAnswer, CostRequest, period_with_data, query_costs, query_rows
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


def make_trend(request: CostRequest, interval: Interval, trend: TrendAnswer, currency: str) -> JsonObject:
    """Return the trend as the tool result shows it."""
    answer, period = trend.answer, request.period.elapsed
    if answer.data_start is not None:
        # The first month with data may be partial, and has nothing to compare with.
        period = replace(period, first=answer.data_start)
    parts = list(split_period(period, interval))
    totals = None if answer.total is None else cost_by_period(answer.total, _bucket(interval))
    result: JsonObject = {}
    if totals is not None and interval == "month":
        result["months"] = _months(request, parts, totals, trend.running, currency)
    if request.groups:
        total = None if answer.total is None else total_cost(answer.total)
        top = request.top or len(answer.groups)
        ranked = RankedCosts(rank_groups(answer.groups), currency, total, top)
        groups, rows = split_by_groups(ranked, len(request.groups), top)
        result |= {"groups": groups, "total": ranked.totals()}
        if totals is not None and interval != "month":
            result["totals"] = [
                {"period": part.label, "cost": amount_as_json(totals.get(part.label, ZERO), currency)}
                for part in known_parts(parts, totals)
            ]
    else:
        rows = [
            CostRow((), (), part.label, (totals or {}).get(part.label, ZERO))
            for part in known_parts(parts, totals or {})
        ]
        result["total"] = {"all": None if totals is None else amount_as_json(total_cost(rows), currency)}
    stated = period_with_data(request.period, answer.data_start)
    result |= cost_statement(stated, currency, request.scope, answer.clouds)
    if request.groups:
        result |= as_table(rows, request.groups, currency, _bucket(interval), has_zeros=False)
    else:
        result |= as_table(rows, (), currency)
    if partial := [part.as_json for part in parts if part.is_partial]:
        result["partial"] = partial
    running = running_month(parts, request.period) if interval == "month" else None
    if running is not None and (unsettled := unsettled_note(running)) is not None:
        result["note"] = unsettled
    return result | failed_members([*answer.failures, *trend.failures])


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
