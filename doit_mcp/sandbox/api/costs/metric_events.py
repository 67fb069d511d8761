"""Events of business metrics in DataHub, such as orders: a number per metric and day."""

from __future__ import annotations

from collections.abc import Sequence

from .activity import Activity
from .estate_types import Metric
from .noise import daily_noise, noise_key

MILLION = 1_000_000
NOISE = 0.2  # width of the random factor


def metric_rows(metrics: Sequence[Metric], seed: int, first: int, last: int) -> list[tuple[str | int | None, ...]]:
    """(day, metric, units in millionths) of the days from *first* to *last*. Units are whole, and known at once."""
    activity = Activity(seed, first, last)
    rows: list[tuple[str | int | None, ...]] = []
    for metric in metrics:
        noise = daily_noise(noise_key(seed, metric.dataset, metric.name), first, last)
        for day, level, is_weekend, number in zip(activity.days, activity.levels, activity.weekends, noise):
            units = metric.daily * level * (metric.weekend if is_weekend else 1.0) * (1 - NOISE / 2 + NOISE * number)
            rows.append((day, metric.name, round(units) * MILLION))
    return rows
