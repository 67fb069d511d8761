"""The months of a cost trend: their costs and changes, and the running month like for like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, TypedDict

from ...api.value_kinds import Day, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..periods.alignment import AlignedPeriods, align
from ..periods.parts import PeriodPart
from ..periods.period import ReportedPeriod
from .amounts import ZERO, amount_as_json, change_percent, per_day


class LikeForLike(TypedDict, total=False):
    """The running month up to today, and the same days of the month before."""

    before: Annotated[float, Money]
    after: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]
    days: Annotated[str, "The days of the month before."]


class MonthCost(TypedDict, total=False):
    """The cost of one month and its change from the month before."""

    period: Annotated[str, Day]
    cost: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    likeForLike: Annotated[JsonObject, Members(LikeForLike)]


def known_parts(parts: list[PeriodPart], costs: Mapping[str, Decimal]) -> Iterator[PeriodPart]:
    """Yield the parts from the first one with costs: nothing is known about earlier ones, later ones cost nothing."""
    first = min(costs, default=None)
    yield from (part for part in parts if first is not None and part.label >= first)


def month_rows(parts: list[PeriodPart], costs: Mapping[str, Decimal], currency: str) -> list[MonthCost]:
    """Return the cost of each month and its change from the one before; null unless both are whole months."""
    rows: list[MonthCost] = []
    previous: PeriodPart | None = None
    for part in known_parts(parts, costs):
        cost = costs.get(part.label, ZERO)
        change = None
        if previous is not None and not previous.is_partial and not part.is_partial:
            change = change_percent(costs.get(previous.label, ZERO), cost, currency)
        rows.append({"period": part.label, "cost": amount_as_json(cost, currency), "changePercent": change})
        previous = part
    return rows


def running_month(parts: list[PeriodPart], period: ReportedPeriod) -> AlignedPeriods | None:
    """Return the month that is not over at the end of a trend with the days of the month before that compare with it.

    None if the trend ends earlier, or begins within that month.
    """
    last = parts[-1]
    if last.covered.last != period.today or last.covered.first != last.whole.first:
        return None
    return align(ReportedPeriod(last.whole, period.today))


def compare_running_month(aligned: AlignedPeriods, before: Decimal, after: Decimal, currency: str) -> JsonObject:
    """Return the running month beside the same days of the month before (LikeForLike)."""
    days = aligned.before.elapsed
    compared: JsonObject = {
        "before": amount_as_json(before, currency),
        "after": amount_as_json(after, currency),
        "changePercent": None if aligned.alignment == "per_day" else change_percent(before, after, currency),
        "days": f"{days.first.isoformat()}/{days.last.isoformat()}",
    }
    if not aligned.has_equal_days:
        compared["perDayChangePercent"] = change_percent(
            per_day(before, aligned.before.days), per_day(after, aligned.after.days), currency
        )
    return compared
