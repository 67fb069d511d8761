"""Projection of spending to the end of a period, as pure functions over daily costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import fsum
from typing import Annotated

from ...api.value_kinds import Day, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..periods import ONE_DAY, Period, PeriodDays
from ..tables import percent_change, round_to_cents
from .weekday_pace import DailyCosts, WeekdayPace, settled_through


class ProjectedPeriod(PeriodDays, total=False):
    """What a period costs so far, will cost, and what the whole period before it cost."""

    spent: Annotated[float, Money]
    ahead: Annotated[float | None, Money]
    expected: Annotated[float | None, Money]
    low: Annotated[float | None, Money]
    high: Annotated[float | None, Money]
    unfinishedDays: list[Annotated[str, Day]]
    before: Annotated[float | None, Money]
    changePercent: Annotated[float | None, Percent]
    perDayChangePercent: Annotated[float | None, Percent]


@dataclass(frozen=True, slots=True)
class Projection:
    """A period's cost: *spent* up to today, and *ahead* from then to its end, None if it cannot be projected.

    *below* and *above* are the distances from the expected cost to the low and high estimates.
    """

    period: Period
    spent: float
    ahead: float | None = None
    below: float = 0.0
    above: float = 0.0
    unfinished: tuple[date, ...] = ()

    def as_json(self, previous: Period, previous_cost: float | None) -> JsonObject:
        """Return the projection as a result shows it, compared with the *previous* whole period and its cost."""
        spent = round_to_cents(self.spent)
        ahead = None if self.ahead is None else round_to_cents(self.ahead)
        expected = None if ahead is None else round_to_cents(spent + ahead)
        return {
            **self.period.as_json,
            "spent": spent,
            "ahead": ahead,
            "expected": expected,
            "low": None if expected is None else round_to_cents(expected - self.below),
            "high": None if expected is None else round_to_cents(expected + self.above),
            "unfinishedDays": [day.isoformat() for day in self.unfinished],
            "before": None if previous_cost is None else round_to_cents(previous_cost),
            **_changes(self.period, expected, previous, previous_cost),
        }


def _changes(period: Period, expected: float | None, previous: Period, previous_cost: float | None) -> JsonObject:
    """Return the change from the previous period: of the total, and per day if the periods differ in length."""
    if expected is None or previous_cost is None:
        return {"changePercent": None}
    changes: JsonObject = {"changePercent": percent_change(expected - previous_cost, previous_cost)}
    if period.days != previous.days:
        per_day = previous_cost / previous.days
        changes["perDayChangePercent"] = percent_change(expected / period.days - per_day, per_day)
    return changes


def project_cost(
    period: Period, actual: DailyCosts, forecast: DailyCosts, pace: WeekdayPace | None, today: date
) -> Projection:
    """Return the projected cost of a period that contains *today*.

    Days to come have the cost of the *forecast*, or else that of the *pace*. Unsettled days that are far below the pace
    are raised to it. Without a pace, nothing is projected.
    """
    spent = fsum(cost for day, cost in actual.items() if period.first <= day <= min(period.last, today))
    if pace is None:
        return Projection(period, spent)
    missing = {
        day: cost
        for day in days_between(max(period.first, settled_through(today) + ONE_DAY), min(period.last, today))
        if (cost := pace.missing_cost(day, actual.get(day, 0.0), today))
    }
    to_come = [
        forecast.get(day, pace.cost_of(day)) for day in days_between(max(period.first, today + ONE_DAY), period.last)
    ]
    ahead = fsum([*missing.values(), *to_come])
    below, above = pace.margins(len(missing) + len(to_come))
    if pace.is_never_negative:
        # What is spent is spent.
        below = min(below, max(ahead, 0.0))
    return Projection(period, spent, ahead, below, above, tuple(day for day in missing if day < today))


def days_between(first: date, last: date) -> list[date]:
    """Return the days from *first* to *last*, inclusive."""
    return [first + count * ONE_DAY for count in range((last - first).days + 1)]


def period_cost(period: Period, actual: DailyCosts) -> float | None:
    """Return the cost of a past period; None if no day of it is known."""
    known = [cost for day, cost in actual.items() if period.first <= day <= period.last]
    return fsum(known) if known else None
