"""The pace of daily costs: the cost of each weekday, how far days deviate from it, and which days are unfinished.

The pace of a weekday is the median of that weekday in the last weeks, scaled to the level of the last two weeks.
Medians ignore single charges and days with missing costs; the level follows a launch or a shutdown within a week.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import fsum, sqrt
from statistics import median

from ..periods.period import ONE_DAY, last_final_day, subtract_months

MIN_HISTORY_DAYS = 7
"""Settled days that a projection requires."""
PACE_DAYS = 56
"""Settled days that the pace is learned from: eight weeks."""
SPREAD_DAYS = 28
"""Settled days whose distance from the pace gives the low and high estimates."""
LEVEL_DAYS = 14
"""Settled days that determine the level."""
LEVEL_SAMPLES = 9.0
"""Independent days that the level is worth: a median of 14 values is as exact as a mean of 9."""
OUTER_TENTH = 0.1
"""Share of days below the low estimate of a day, and share of days above the high one."""
FAR_BELOW_RATIO = 2.0
"""Multiple of the usual distance below the pace, from which a day counts as unfinished."""
MONTHLY_CHARGE_EXCESS = 3.0
"""Multiple of the usual distance above the pace, from which the first day of a month has a monthly charge."""

DailyCosts = Mapping[date, float]


@dataclass(frozen=True, slots=True)
class WeekdayPace:
    """What each weekday costs, Monday first, and how far days deviate from it."""

    by_weekday: tuple[float, ...]
    below: float
    """Distance below the pace that one in ten days exceeds; not negative."""
    above: float
    """Distance above the pace that one in ten days exceeds; not negative."""
    monthly_charge: float = 0.0
    """The extra cost of the first day of a month."""
    is_never_negative: bool = True
    """No day had a negative cost."""
    distances: Mapping[date, float] = field(default_factory=dict, compare=False)
    """Distances of recent days from the pace, negative below it, widened to those expected of future days."""

    def cost_of(self, day: date) -> float:
        """Return what *day* is expected to cost."""
        charge = self.monthly_charge if day.day == 1 else 0.0
        return self.by_weekday[day.weekday()] + charge

    def missing_cost(self, day: date, cost: float, today: date) -> float:
        """Return what is expected to be added to the *cost* of an unsettled day; 0 if the day looks complete.

        Today is never complete. An earlier day is unfinished if it is far below its pace.
        """
        distance = self.cost_of(day) - cost
        return distance if distance > (0.0 if day == today else FAR_BELOW_RATIO * self.below) else 0.0


def estimate_margins(paces: Sequence[WeekdayPace], days: Sequence[float]) -> tuple[float, float]:
    """Return the distances below and above the expected sum of all *paces* within which 8 of 10 sums lie.

    *days* has one multiple of the paces for each day: 1 for a usual one. Days deviate from the pace independently, and
    the level itself is uncertain. On the same day, all paces may deviate together.
    """
    factor = sqrt(fsum(day**2 for day in days) + fsum(days) ** 2 / LEVEL_SAMPLES)
    if len(paces) == 1:
        return paces[0].below * factor, paces[0].above * factor
    dates = {day for pace in paces for day in pace.distances}
    below, above = _outer_tenths([fsum(pace.distances.get(day, 0.0) for pace in paces) for day in dates])
    return below * factor, above * factor


def count_settled_days(actual: DailyCosts, today: date) -> int:
    """Return the number of settled days since the first day that has a cost."""
    first = min((day for day, cost in actual.items() if cost), default=today)
    return max(0, (last_final_day(today) - first).days + 1)


def learn_pace(actual: DailyCosts, today: date) -> WeekdayPace | None:
    """Return the pace of the settled days; None if they are fewer than MIN_HISTORY_DAYS.

    Days without a cost count as 0 from the first day that has one.
    """
    count = count_settled_days(actual, today)
    if count < MIN_HISTORY_DAYS:
        return None
    last = last_final_day(today)
    days = [last - back * ONE_DAY for back in range(min(count, PACE_DAYS))][::-1]
    costs = [actual.get(day, 0.0) for day in days]
    by_weekday, samples = _weekday_costs(days, costs)
    # Days deviate less from medians that include them than future days will.
    inflation = sqrt(samples / (samples - 1))
    distances = {
        day: inflation * (cost - by_weekday[day.weekday()])
        for day, cost in zip(days[-SPREAD_DAYS:], costs[-SPREAD_DAYS:], strict=True)
    }
    below, above = _outer_tenths(list(distances.values()))
    charge = _monthly_charge(actual, last, count, by_weekday, MONTHLY_CHARGE_EXCESS * above)
    return WeekdayPace(by_weekday, below, above, charge, min(actual.values()) >= 0, distances)


def _outer_tenths(distances: Sequence[float]) -> tuple[float, float]:
    """Return the distances below 0 and above 0 that one in ten reaches; not negative."""
    if not distances:
        return 0.0, 0.0
    ordered = sorted(distances)
    return max(0.0, -_compute_quantile(ordered, OUTER_TENTH)), max(0.0, _compute_quantile(ordered, 1 - OUTER_TENTH))


def _weekday_costs(days: Sequence[date], costs: Sequence[float]) -> tuple[tuple[float, ...], int]:
    """Return the cost of each weekday, and the number of days that each is learned from."""
    weeks = len(days) // 7
    if weeks < 2:
        # Too few days to distinguish weekdays.
        return (median(costs),) * 7, len(days)
    usual = [median(cost for day, cost in zip(days, costs, strict=True) if day.weekday() == at) for at in range(7)]
    ratios = [
        cost / usual[day.weekday()]
        for day, cost in zip(days[-LEVEL_DAYS:], costs[-LEVEL_DAYS:], strict=True)
        if usual[day.weekday()] > 0
    ]
    if not ratios:
        recent = costs[-SPREAD_DAYS:]
        return (fsum(recent) / len(recent),) * 7, len(recent)
    level = median(ratios)
    return tuple(cost * level for cost in usual), weeks


def _monthly_charge(actual: DailyCosts, last: date, count: int, by_weekday: Sequence[float], threshold: float) -> float:
    """Return the extra cost of the first day of a month, if the last two first days had one; otherwise 0."""
    newest = last.replace(day=1)
    firsts = (subtract_months(newest, 1), newest)
    if firsts[0] < last - (count - 1) * ONE_DAY:
        return 0.0
    excesses = [actual.get(day, 0.0) - by_weekday[day.weekday()] for day in firsts]
    return min(excesses) if min(excesses) > threshold else 0.0


def _compute_quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a *share* of the *ordered* values lie, interpolated."""
    position = share * (len(ordered) - 1)
    index = int(position)
    following = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (position - index) * (following - ordered[index])
