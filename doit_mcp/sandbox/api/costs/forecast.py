"""Forecast model: a linear trend, multiplied by weekday factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from .catalog_types import MICROS_PER_CENT

TREND_DAYS = 28  # with fewer days, the slope reflects weekdays instead of growth


def predict(history: Mapping[int, int], first: int, last: int, days: range) -> list[int]:
    """A value for each of *days*, from the *history* of the days *first* to *last* (missing days count as 0)."""
    known = [history.get(day, 0) for day in range(first, last + 1)]
    mean = fmean(known)
    if mean <= 0:
        return [0] * len(days)
    usual = [_weekday_share(known[(weekday - first) % 7 :: 7], mean) for weekday in range(7)]
    shares = [usual[(first + index) % 7] for index in range(len(known))]
    level, slope = _fit_line(
        [(index, value / share) for index, (value, share) in enumerate(zip(known, shares)) if share]
    )
    return [
        round(max(0.0, level + slope * (day - first)) * usual[day % 7] / MICROS_PER_CENT) * MICROS_PER_CENT
        for day in days
    ]


def _weekday_share(values: Sequence[int], mean: float) -> float:
    """The weekday's factor; 1 without data."""
    return max(0.0, fmean(values) / mean) if values else 1.0


def _fit_line(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Level and slope by least squares; a slope of 0 for few points."""
    mean = fmean(value for _, value in points)
    if len(points) < TREND_DAYS:
        return mean, 0.0
    middle = fmean(index for index, _ in points)
    spread = sum((index - middle) ** 2 for index, _ in points)
    slope = sum((index - middle) * (value - mean) for index, value in points) / spread
    return mean - slope * middle, slope
