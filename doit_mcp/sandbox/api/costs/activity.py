"""Activity by day: growth, seasons, weekends, month ends and common noise, and how complete the latest days are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

from .calendar_days import add_periods, start_of
from .estate_types import AWS, AZURE, GOOGLE
from .noise import daily_noise, drifting_noise, noise_key

GROWTH_START = date(2025, 1, 1).toordinal()  # fixed start of growth, independent of when the sandbox starts
MONTHLY_GROWTH, MIN_GROWTH, MAX_GROWTH = 0.014, 0.4, 4.0
SEASONS = (0.97, 0.96, 0.99, 1.0, 1.01, 0.99, 0.96, 0.95, 1.0, 1.02, 1.07, 1.09)  # January to December
DRIFT_DAYS = 9
SETTLING_DAYS = 3  # after which the figures of a day are final
# The share of a day's cost that has arrived today, yesterday and the day before.
ARRIVED = {AWS: (0.35, 0.85, 0.97), GOOGLE: (0.45, 0.85, 0.95), AZURE: (0.5, 0.7, 0.94)}


def growth_factor(day: int) -> float:
    """The size of an estate on a day, relative to the start of growth."""
    return min(MAX_GROWTH, max(MIN_GROWTH, 1 + MONTHLY_GROWTH * (day - GROWTH_START) / 30))


@dataclass(frozen=True)
class Activity:
    """The days from *first* to *last* as known on the day *last*, for an estate with *seed*."""

    seed: int
    first: int
    last: int

    @cached_property
    def days(self) -> range:
        """All days."""
        return range(self.first, self.last + 1)

    @cached_property
    def levels(self) -> list[float]:
        """What all resources have in common: growth, season and demand."""
        key = noise_key(self.seed, "demand")
        drift = drifting_noise(noise_key(self.seed, "drift"), self.first, self.last, DRIFT_DAYS)
        demand = zip(self.days, drift, daily_noise(key, self.first, self.last))
        return [
            growth_factor(day) * _season_factor(day) * (0.93 + 0.14 * slow) * (0.96 + 0.08 * fast)
            for day, slow, fast in demand
        ]

    @cached_property
    def weekends(self) -> list[bool]:
        """Whether each day is a Saturday or a Sunday."""
        # Ordinal 1 is a Monday.
        return [(day - 1) % 7 >= 5 for day in self.days]

    @cached_property
    def month_ends(self) -> list[bool]:
        """Whether each day is the first one or one of the last two of its month."""
        return [start_of("month", day + 2) != start_of("month", day - 1) for day in self.days]

    @cached_property
    def arrived(self) -> dict[str, list[float]]:
        """The share of each day's cost that is known, by cloud."""
        whole = [1.0] * len(self.days)
        return {cloud: (whole + list(reversed(shares)))[-len(whole) :] for cloud, shares in ARRIVED.items()}


def _season_factor(day: int) -> float:
    """The season's factor, without jumps between months."""
    start = start_of("month", day)
    following = add_periods("month", start, 1)
    now, later = SEASONS[date.fromordinal(start).month - 1], SEASONS[date.fromordinal(following).month - 1]
    return now + (later - now) * (day - start) / (following - start)
