"""Billing lines of usage: one series per project, SKU and kind of cost, a pure function of seed, series and day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .activity import Activity
from .estate_types import MICROS_PER_CENT, Incident
from .noise import daily_noise, drifting_noise

COLUMNS = (
    "cloud_provider",
    "billing_account_id",
    "project_id",
    "project_name",
    "service_id",
    "service_description",
    "sku_id",
    "sku_description",
    "pricing_unit",
    "region",
    "cost_type",
    "credit",
    "label_team",
    "label_env",
    "tag_cost_center",
    "gke_cluster",
    "gke_namespace",
    "eks_cluster",
    "eks_namespace",
)
NOISE, DRIFT, DRIFT_DAYS = 0.32, 0.14, 11  # widths of the random factors of one resource
DISCOUNT = 0.25  # the largest share of on-demand cost that DoiT's discounts save

Values = tuple[str | None, ...]


class Line(NamedTuple):
    """A billing line: amounts in millionths of a dollar and of a unit."""

    day: int
    cost: int
    usage: int
    savings: int
    amortized: int


class Series(Protocol):
    """Billing lines with the same values of COLUMNS."""

    @property
    def values(self) -> Values:
        """The values of COLUMNS."""

    def lines(self, activity: Activity) -> Iterator[Line]:
        """The lines of the days of *activity*, in their order."""


@dataclass(frozen=True, slots=True)
class Jump:
    """An incident on the days *first* to *last*."""

    incident: Incident
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of a SKU in a project on the days *first* to *last*: *daily* is in dollars before growth.

    *price* is the unit price in micro-dollars before the day *changed*, from which it is multiplied by *factor*.
    Reservations cover *reserved* dollars a day from the day *reserved_from* on, and Savings Plans *planned* dollars a
    day of the rest, both at the price before the change.
    """

    key: bytes
    provider: str
    daily: float
    weekend: float
    month_end: float
    lag_days: int
    price: int
    first: int
    last: int
    jump: Jump | None
    changed: int
    factor: float
    reserved: float
    reserved_from: int
    planned: float

    def amounts(self, activity: Activity) -> Iterator[tuple[int, float, float]]:
        """(day, dollars at the price before the change, share of the day's figures that has arrived)."""
        noise = daily_noise(self.key, activity.first, activity.last)
        drift = drifting_noise(self.key, activity.first, activity.last, DRIFT_DAYS)
        base, jump = self.daily * (1 - NOISE / 2) * (1 - DRIFT / 2), self.jump
        end = min(self.last, activity.last - self.lag_days)
        rows = zip(
            activity.days,
            activity.levels,
            activity.weekends,
            activity.month_ends,
            activity.arrived[self.provider],
            noise,
            drift,
        )
        for day, level, is_weekend, is_month_end, arrived, fast, slow in rows:
            if not self.first <= day <= end:
                continue
            dollars = base * level * arrived * (1 + NOISE * fast) * (1 + DRIFT * slow)
            if is_weekend:
                dollars *= self.weekend
            if is_month_end:
                dollars *= 1 + self.month_end
            if jump is not None and jump.first <= day <= jump.last:
                dollars *= jump.incident.factor
            yield day, dollars, arrived

    def split(self, day: int, dollars: float, arrived: float) -> tuple[float, float]:
        """The dollars of a day that reservations cover, and those that Savings Plans cover."""
        reserved = min(dollars, self.reserved * arrived) if day >= self.reserved_from else 0.0
        return reserved, min(dollars - reserved, self.planned * arrived)

    def price_factor(self, day: int) -> float:
        """What the price of a day is multiplied by."""
        return self.factor if day >= self.changed else 1.0

    def quantity(self, dollars: float) -> int:
        """The usage in millionths of a unit."""
        return round(dollars * 1e12 / self.price)


@dataclass(frozen=True, slots=True)
class OnDemandSeries:
    """Usage at on-demand rates on the days *first* to *last*; DoiT's discounts save the share *discount* of its cost."""

    values: Values
    usage: Usage
    first: int
    last: int
    discount: float

    def lines(self, activity: Activity) -> Iterator[Line]:
        usage, is_covered = self.usage, self.usage.reserved or self.usage.planned
        for day, dollars, arrived in usage.amounts(activity):
            if not self.first <= day <= self.last:
                continue
            if is_covered:
                dollars -= sum(usage.split(day, dollars, arrived))
            cost = to_cents(dollars * usage.price_factor(day))
            yield Line(day, cost, usage.quantity(dollars), to_cents(cost * self.discount / 1e6), cost)


@dataclass(frozen=True, slots=True)
class PlannedSeries:
    """Usage that Savings Plans cover, at *rate* of its on-demand cost. With *negated*, the line that takes it back."""

    values: Values
    usage: Usage
    rate: float
    negated: bool = False

    def lines(self, activity: Activity) -> Iterator[Line]:
        usage = self.usage
        for day, dollars, arrived in usage.amounts(activity):
            _, planned = usage.split(day, dollars, arrived)
            cost = to_cents(planned * usage.price_factor(day))
            if self.negated:
                yield Line(day, -cost, 0, 0, 0)
            else:
                yield Line(day, cost, usage.quantity(planned), 0, to_cents(planned * self.rate))


@dataclass(frozen=True, slots=True)
class ReservedSeries:
    """Usage that reservations cover, at *rate* of its on-demand cost, which the fees of the reservations pay."""

    values: Values
    usage: Usage
    rate: float

    def lines(self, activity: Activity) -> Iterator[Line]:
        usage = self.usage
        for day, dollars, arrived in usage.amounts(activity):
            reserved, _ = usage.split(day, dollars, arrived)
            if reserved:
                yield Line(day, 0, usage.quantity(reserved), 0, to_cents(reserved * self.rate))


def to_cents(dollars: float) -> int:
    """Dollars as micro-dollars, rounded to cents."""
    return round(dollars * 100) * MICROS_PER_CENT
