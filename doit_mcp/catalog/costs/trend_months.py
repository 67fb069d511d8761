"""The months of a cost trend: their costs and changes, and the current month like for like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, TypedDict

from ...api.value_kinds import Day, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..periods.alignment import AlignedPeriods, align
from ..periods.parts import PeriodPart
from ..periods.period import Period, ReportedPeriod
from .amounts import ZERO, amount_as_json, average_per_day, change_percent


class FinalCosts(TypedDict):
    """The final days of the current month, and as many days at the start of the month before."""

    to: Annotated[str, Day]
    before: Annotated[float, Money]
    after: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]


class LikeForLike(TypedDict, total=False):
    """The current month up to today, and the same days of the month before."""

    before: Annotated[float, Money]
    after: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]
    days: Annotated[str, "The days of the month before."]
    final: Annotated[JsonObject | None, "Without the days whose costs still arrive.", Members(FinalCosts)]


class MonthCost(TypedDict, total=False):
    """The cost of one month and its change from the month before."""

    period: Annotated[str, Day]
    cost: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]
    likeForLike: Annotated[JsonObject, Members(LikeForLike)]


def select_known_parts(
    parts: list[PeriodPart], costs: Mapping[str, Decimal], *, is_start_known: bool = True
) -> Iterator[PeriodPart]:
    """Yield the parts whose costs are known, including those that cost nothing; none if there are no costs.

    Unless the start of the data is known, parts before the first one with costs are unknown.
    """
    first = min(costs, default=None)
    yield from (part for part in parts if first is not None and (is_start_known or part.label >= first))


def with_beginning(parts: list[PeriodPart], begin: date | None) -> list[PeriodPart]:
    """Return the parts; the one in which costs *begin* covers only the days from then on."""
    return [
        replace(part, covered=Period(begin, part.covered.last))
        if begin is not None and part.covered.first <= begin <= part.covered.last
        else part
        for part in parts
    ]


def month_rows(
    parts: list[PeriodPart],
    costs: Mapping[str, Decimal],
    currency: str,
    today: date,
    *,
    is_start_known: bool = True,
) -> list[MonthCost]:
    """Return the cost of each month and its change from the one before, also per day if their days differ.

    A month that lacks days at its start has a change per day only. The change is null unless both months are over.
    """
    rows: list[MonthCost] = []
    previous: PeriodPart | None = None
    for part in select_known_parts(parts, costs, is_start_known=is_start_known):
        cost = costs.get(part.label, ZERO)
        row: MonthCost = {"period": part.label, "cost": amount_as_json(cost, currency), "changePercent": None}
        if previous is not None and not part.is_partial and part.whole.last < today:
            before = costs.get(previous.label, ZERO)
            if not previous.is_partial:
                row["changePercent"] = change_percent(before, cost, currency)
            if previous.covered.days != part.covered.days:
                row["perDayChangePercent"] = change_percent(
                    average_per_day(before, previous.covered.days), average_per_day(cost, part.covered.days), currency
                )
        rows.append(row)
        previous = part
    return rows


def align_running_month(parts: list[PeriodPart], period: ReportedPeriod) -> AlignedPeriods | None:
    """Return the current month at the end of a trend, with the days of the month before to compare it with.

    None if the trend ends earlier, or begins within that month.
    """
    last = parts[-1]
    if last.covered.last != period.today or last.covered.first != last.whole.first:
        return None
    return align(ReportedPeriod(last.whole, period.today))


def find_final_days(aligned: AlignedPeriods) -> tuple[Period, Period] | None:
    """Return the final days of the current month, preceded by as many of the month before; None if no day is final."""
    final = aligned.after.final_through
    if final is None:
        return None
    after = replace(aligned.after.elapsed, last=final)
    return aligned.before.elapsed.first_days(after.days), after


def compare_running_month(aligned: AlignedPeriods, before: Decimal, after: Decimal, currency: str) -> JsonObject:
    """Return the current month beside the same days of the month before (LikeForLike).

    Without a final day, the change is null.
    """
    days = aligned.before.elapsed
    has_change = aligned.has_equal_days and aligned.after.final_through is not None
    compared: JsonObject = {
        "before": amount_as_json(before, currency),
        "after": amount_as_json(after, currency),
        "changePercent": change_percent(before, after, currency) if has_change else None,
        "days": f"{days.first.isoformat()}/{days.last.isoformat()}",
    }
    if not aligned.has_equal_days:
        compared["perDayChangePercent"] = change_percent(
            average_per_day(before, aligned.before.days), average_per_day(after, aligned.after.days), currency
        )
    return compared


def unsettled_note(aligned: AlignedPeriods) -> str | None:
    """Return a note that no day of the current month is final; None if some are."""
    if aligned.after.final_through is not None:
        return None
    month = aligned.after.whole.first.isoformat()[:7]
    return f"No day of {month} is final yet, so its change in percent is not known."


def compare_final_days(last: date, before: Decimal, after: Decimal, currency: str) -> JsonObject:
    """Return the days of the current month up to the *last* final one beside as many before (FinalCosts)."""
    return {
        "to": last.isoformat(),
        "before": amount_as_json(before, currency),
        "after": amount_as_json(after, currency),
        "changePercent": change_percent(before, after, currency),
    }
