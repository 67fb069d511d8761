"""Projection of spending to the end of a period, as pure functions over daily costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import fsum
from typing import Annotated

from ...api.value_kinds import Day, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, amount_as_json, change_percent, per_day, round_amount, to_decimal
from ..periods.period import ONE_DAY, Period, PeriodDays
from .weekday_pace import WeekdayPace, settled_through


class ProjectedPeriod(PeriodDays, total=False):
    """What a period costs so far, will cost, and what the whole period before it cost."""

    spent: Annotated[float | None, Money]
    ahead: Annotated[float | None, Money]
    expected: Annotated[float | None, Money]
    low: Annotated[float | None, Money]
    high: Annotated[float | None, Money]
    complete: bool
    finalThrough: Annotated[str | None, Day]
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
    spent: Decimal
    ahead: float | None = None
    below: float = 0.0
    above: float = 0.0
    unfinished: tuple[date, ...] = ()

    def as_json(self, currency: str, previous: Period, previous_cost: Decimal | None) -> JsonObject:
        """Return the projection as a result shows it, compared with the *previous* whole period and its cost."""
        spent = round_amount(self.spent, currency)
        ahead = None if self.ahead is None else round_amount(to_decimal(self.ahead), currency)
        expected = None if ahead is None else spent + ahead
        return {
            **self.period.as_json,
            "spent": float(spent),
            "ahead": None if ahead is None else float(ahead),
            "expected": None if expected is None else float(expected),
            "low": None if expected is None else amount_as_json(expected - to_decimal(self.below), currency),
            "high": None if expected is None else amount_as_json(expected + to_decimal(self.above), currency),
            "unfinishedDays": [day.isoformat() for day in self.unfinished],
            "before": None if previous_cost is None else amount_as_json(previous_cost, currency),
            **_changes(self.period, expected, previous, previous_cost, currency),
        }


def _changes(
    period: Period, expected: Decimal | None, previous: Period, previous_cost: Decimal | None, currency: str
) -> JsonObject:
    """Return the change from the previous period: of the total, and per day if the periods differ in length."""
    if expected is None or previous_cost is None:
        return {"changePercent": None}
    changes: JsonObject = {"changePercent": change_percent(previous_cost, expected, currency)}
    if period.days != previous.days:
        daily = per_day(previous_cost, previous.days), per_day(expected, period.days)
        changes["perDayChangePercent"] = change_percent(*daily, currency)
    return changes


def project_cost(
    period: Period,
    actual: Mapping[date, Decimal],
    forecast: Mapping[date, Decimal],
    pace: WeekdayPace | None,
    today: date,
) -> Projection:
    """Return the projected cost of a period that contains *today*.

    Days to come have the cost of the *forecast*, or else that of the *pace*. Unsettled days that are far below the pace
    are raised to it. Without a pace, nothing is projected.
    """
    spent = sum((cost for day, cost in actual.items() if period.first <= day <= min(period.last, today)), ZERO)
    if pace is None:
        return Projection(period, spent)
    unsettled = days_between(max(period.first, settled_through(today) + ONE_DAY), min(period.last, today))
    missing = {day: pace.missing_cost(day, float(actual.get(day, ZERO)), today) for day in unsettled}
    raised = {day: cost for day, cost in missing.items() if cost}
    to_come = [
        float(forecast[day]) if day in forecast else pace.cost_of(day)
        for day in days_between(max(period.first, today + ONE_DAY), period.last)
    ]
    ahead = fsum([*raised.values(), *to_come])
    below, above = pace.margins(len(raised) + len(to_come))
    if pace.is_never_negative:
        # What is spent is spent.
        below = min(below, max(ahead, 0.0))
    return Projection(period, spent, ahead, below, above, tuple(day for day in raised if day < today))


def days_between(first: date, last: date) -> list[date]:
    """Return the days from *first* to *last*, inclusive."""
    return [first + count * ONE_DAY for count in range((last - first).days + 1)]


def period_cost(period: Period, actual: Mapping[date, Decimal]) -> Decimal | None:
    """Return the cost of a past period; None if no day of it is known."""
    known = [cost for day, cost in actual.items() if period.first <= day <= period.last]
    return sum(known, ZERO) if known else None
