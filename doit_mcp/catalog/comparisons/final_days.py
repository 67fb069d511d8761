"""Comparison of final days, in addition to one whose latest days have costs that are still arriving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, TypedDict

from ...api.report_config import QueryConfig
from ...api.value_kinds import Day, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import amount_as_json
from ..costs.query_config import cost_config
from ..costs.scope import Scope
from ..partial_results import PartialResults
from ..periods.alignment import AlignedPeriods
from ..periods.period import ONE_DAY, Period, ReportedPeriod
from .comparison import change_figures, has_final_days, total_cost


class FinalDifference(TypedDict, total=False):
    """The change over final days: the *days* of the later period up to the day *to*."""

    days: int
    to: Annotated[str, Day]
    change: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]


def final_periods(periods: AlignedPeriods) -> AlignedPeriods | None:
    """Return the final days of both periods, as many of each where they begin alike.

    None if all days are final, or if one of the periods has no final day.
    """
    if not has_final_days(periods) or not (arriving_days(periods.before) or arriving_days(periods.after)):
        return None
    before, after = (_final_part(period) for period in (periods.before, periods.after))
    months = periods.after.whole.whole_months
    if periods.alignment != "per_day" or (months and months == periods.before.whole.whole_months):
        days = min(before.days, after.days)
        before, after = (replace(period, whole=period.whole.first_days(days)) for period in (before, after))
    return AlignedPeriods(before, after, "same_days" if before.days == after.days else "per_day")


def _final_part(period: ReportedPeriod) -> ReportedPeriod:
    last = period.final_through
    return period if last is None else replace(period, whole=Period(period.whole.first, last))


def arriving_days(period: ReportedPeriod) -> Period | None:
    """Return the days of a period whose costs are still arriving; None if all are final."""
    final = period.final_through
    first = period.whole.first if final is None else final + ONE_DAY
    return Period(first, period.elapsed.last) if first <= period.elapsed.last else None


def final_names(sides: Sequence[str]) -> list[str]:
    """Return the names of the queries for the final days of the earlier and the later side."""
    return [f"final {side}" for side in sides]


def final_queries(scope: Scope, periods: AlignedPeriods, currency: str, sides: Sequence[str]) -> dict[str, QueryConfig]:
    """Return the queries for the cost of the final days; none if there is nothing to compare."""
    final = final_periods(periods)
    if final is None:
        return {}
    spans = (final.before.elapsed, final.after.elapsed)
    return {name: cost_config(scope, span, currency) for name, span in zip(final_names(sides), spans)}


def compare_final_days(
    parts: PartialResults, periods: AlignedPeriods, cut: AlignedPeriods, currency: str, sides: Sequence[str]
) -> JsonObject:
    """Return the comparison of final days as the member final, from the results of final_queries; empty without them.

    *cut* are the *periods* of the queries without days before the data begin.
    """
    final, names = final_periods(periods), final_names(sides)
    if final is None or not set(names) <= set(parts.results):
        return {}
    begin = cut.before.whole.first
    if begin > final.before.whole.last:
        return {}
    if begin > final.before.whole.first:
        final = AlignedPeriods(
            replace(final.before, whole=Period(begin, final.before.whole.last)), final.after, "per_day"
        )
    before, after = (total_cost(parts.results[name]) for name in names)
    return {
        "final": {
            "days": final.after.days,
            "to": final.after.elapsed.last.isoformat(),
            **{side: amount_as_json(cost, currency) for side, cost in zip(sides, (before, after))},
            **change_figures(before, after, final, currency),
        }
    }


def note_arriving(periods: AlignedPeriods, *, has_final: bool) -> str:
    """Return a sentence about costs that are still arriving, "" if all are final."""
    arriving = [days for side in (periods.before, periods.after) if (days := arriving_days(side)) is not None]
    if not arriving:
        return ""
    first, last = min(days.first for days in arriving), max(days.last for days in arriving)
    named = first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"
    if not has_final_days(periods):
        return f"Costs of {named} are still arriving and a period has no final day, so changePercent is null."
    return f"Costs of {named} are still arriving{'; compare final' if has_final else ''}."
