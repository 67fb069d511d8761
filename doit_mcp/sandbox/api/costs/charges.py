"""Billing lines beside usage: fees of commitments, tax, support, refunds and promotional credits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .activity import Activity, growth_factor
from .calendar_days import add_periods, start_of
from .noise import daily_noise, day_noise
from .usage_series import Line, PlannedSeries, Values, to_cents


@dataclass(frozen=True, slots=True)
class PlanFee:
    """The fee of Savings Plans, *daily* dollars; its amortized cost is the part that no usage took up."""

    values: Values
    provider: str
    daily: float
    covered: tuple[PlannedSeries, ...]

    def lines(self, activity: Activity) -> Iterator[Line]:
        used: dict[int, int] = {}
        for series in self.covered:
            for line in series.lines(activity):
                used[line.day] = used.get(line.day, 0) + line.amortized
        for day, arrived in zip(activity.days, activity.arrived[self.provider]):
            fee = to_cents(self.daily * arrived)
            yield Line(day, fee, 0, 0, fee - used.get(day, 0))


@dataclass(frozen=True, slots=True)
class ReservationFee:
    """The monthly fee of reservations, billed on the first day: *daily* dollars a day, all taken up by usage."""

    values: Values
    daily: float

    def lines(self, activity: Activity) -> Iterator[Line]:
        for day in _month_starts(activity):
            yield Line(day, to_cents(self.daily * (add_periods("month", day, 1) - day)), 0, 0, 0)


@dataclass(frozen=True, slots=True)
class OneTimeCharge:
    """A charge of *dollars* on one day: the upfront fee of reservations, or a refund."""

    values: Values
    day: int
    dollars: float
    amortized: bool

    def lines(self, activity: Activity) -> Iterator[Line]:
        if activity.first <= self.day <= activity.last:
            cost = to_cents(self.dollars)
            yield Line(self.day, cost, 0, 0, cost if self.amortized else 0)


@dataclass(frozen=True, slots=True)
class MonthlyCharge:
    """A charge on the first day of each month, such as tax or support: *daily* dollars of a month before growth."""

    values: Values
    key: bytes
    daily: float

    def lines(self, activity: Activity) -> Iterator[Line]:
        for day in _month_starts(activity):
            length = add_periods("month", day, 1) - day
            cost = to_cents(self.daily * length * growth_factor(day) * (0.95 + 0.1 * day_noise(self.key, day)))
            yield Line(day, cost, 0, 0, cost)


@dataclass(frozen=True, slots=True)
class PromotionalCredit:
    """A promotional credit of *daily* dollars a day before growth from *first* to *last*, when it has run out."""

    values: Values
    key: bytes
    daily: float
    first: int
    last: int

    def lines(self, activity: Activity) -> Iterator[Line]:
        numbers = daily_noise(self.key, activity.first, activity.last)
        for day, level, number in zip(activity.days, activity.levels, numbers):
            if self.first <= day <= self.last:
                cost = -to_cents(self.daily * level * (0.94 + 0.12 * number))
                yield Line(day, cost, 0, 0, cost)


def _month_starts(activity: Activity) -> Iterator[int]:
    return (day for day in activity.days if start_of("month", day) == day)
