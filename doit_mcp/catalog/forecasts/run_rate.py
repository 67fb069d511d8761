"""Projection of costs to the end of a period, as pure functions over daily costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import fsum
from types import MappingProxyType
from typing import Annotated, NamedTuple

from ...api.value_kinds import Day, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, amount_as_json, average_per_day, change_percent, round_amount, to_decimal
from ..periods.period import ONE_DAY, Period, PeriodDays, last_final_day
from .weekday_pace import WeekdayPace, estimate_margins


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


MIN_SPIKE_DAYS = 2
"""Recent days far above the pace that make a spike."""


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
            **_make_change_members(self.period, expected, previous, previous_cost, currency),
        }


def _make_change_members(
    period: Period, expected: Decimal | None, previous: Period, previous_cost: Decimal | None, currency: str
) -> JsonObject:
    """Return the change from the previous period: of the total, and per day if the periods differ in length."""
    if expected is None or previous_cost is None:
        return {"changePercent": None}
    changes: JsonObject = {"changePercent": change_percent(previous_cost, expected, currency)}
    if period.days != previous.days:
        daily = average_per_day(previous_cost, previous.days), average_per_day(expected, period.days)
        changes["perDayChangePercent"] = change_percent(*daily, currency)
    return changes


class CloudCosts(NamedTuple):
    """Costs of one cloud by day so far, DoiT's forecast by day, and the pace; None if there are too few days for one.

    *cloud* is its id; None if these are the costs of all clouds.
    """

    actual: Mapping[date, Decimal]
    forecast: Mapping[date, Decimal]
    pace: WeekdayPace | None
    cloud: str | None = None


UNCHANGED: Mapping[date, float] = MappingProxyType({})


def project_cost(
    period: Period, clouds: Sequence[CloudCosts], today: date, factors: Mapping[date, float] = UNCHANGED
) -> Projection:
    """Return the projected cost of a period that contains *today*, as the sum of the *clouds*.

    Future days have the cost of the forecast, or else that of the pace. Unsettled days of a cloud that are far below
    its pace are raised to it; what they may still gain beyond that is part of *above*. Nothing is projected if a cloud
    has no pace. *factors* multiply the cost and the spread of future days; 1 for days without one.
    """
    end = min(period.last, today)
    spent = sum((cost for cloud in clouds for day, cost in cloud.actual.items() if period.first <= day <= end), ZERO)
    paces = [cloud.pace for cloud in clouds if cloud.pace is not None]
    if not clouds or len(paces) < len(clouds):
        return Projection(period, spent)
    unsettled = list_days(max(period.first, last_final_day(today) + ONE_DAY), end)
    to_come = list_days(max(period.first, today + ONE_DAY), period.last)
    raised: dict[date, float] = {}
    costs_to_come: list[float] = []
    growth = 0.0
    for cloud, pace in zip(clouds, paces, strict=True):
        costs = {day: float(cloud.actual.get(day, ZERO)) for day in unsettled}
        missing = {day: more for day, cost in costs.items() if (more := pace.missing_cost(day, cost, today))}
        for day, more in missing.items():
            raised[day] = raised.get(day, 0.0) + more
        growth += _possible_growth({day: cost + missing.get(day, 0.0) for day, cost in costs.items()}, cloud, today)
        costs_to_come += [factors.get(day, 1.0) * estimate_day_cost(cloud, pace, day) for day in to_come]
    ahead = fsum([*raised.values(), *costs_to_come])
    multiples = [factors.get(day, 1.0) for day in to_come]
    below, _ = estimate_margins(paces, [*[1.0] * len(raised), *multiples])
    # Any unsettled day may grow.
    _, above = estimate_margins(paces, [*[1.0] * len(unsettled), *multiples])
    if all(pace.is_never_negative for pace in paces):
        # The cost cannot fall below what is spent.
        below = min(below, max(ahead, 0.0))
    return Projection(period, spent, ahead, below, above + growth, tuple(sorted(day for day in raised if day < today)))


def estimate_day_cost(cloud: CloudCosts, pace: WeekdayPace, day: date) -> float:
    """Return the expected cost of a future day: the forecast, or else its pace."""
    return float(cloud.forecast[day]) if day in cloud.forecast else pace.cost_of(day)


def _possible_growth(expected: Mapping[date, float], cloud: CloudCosts, today: date) -> float:
    """Return how much unsettled days may cost beyond what is *expected* of them: up to their pace, or more in a spike.

    In a spike, at least two of the latest days are far above the pace. The others may then rise as far, and today's
    cost may double. A single charge does not make a spike.
    """
    if cloud.pace is None:
        return 0.0
    pace = cloud.pace
    recent = list_days(last_final_day(today), today)
    excesses = [float(cloud.actual.get(day, ZERO)) - pace.cost_of(day) for day in recent]
    is_spike = sum(excess > pace.above for excess in excesses) >= MIN_SPIKE_DAYS
    highest = {day: pace.cost_of(day) + (max(excesses) if is_spike else 0.0) for day in expected}
    if is_spike and today in expected:
        highest[today] = max(highest[today], 2 * expected[today])
    return fsum(max(0.0, highest[day] - cost) for day, cost in expected.items())


def list_days(first: date, last: date) -> list[date]:
    """Return the days from *first* to *last*, inclusive."""
    return [first + count * ONE_DAY for count in range((last - first).days + 1)]


def period_cost(period: Period, actual: Mapping[date, Decimal]) -> Decimal | None:
    """Return the cost of a past period; None if no day of it is known."""
    known = [cost for day, cost in actual.items() if period.first <= day <= period.last]
    return sum(known, ZERO) if known else None
