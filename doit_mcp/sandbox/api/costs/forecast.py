"""Forecast model: a linear trend, multiplied by weekday factors, plus the charges on the first day of each month."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from statistics import fmean

from .estate_types import MICROS_PER_CENT

TREND_DAYS = 28  # with fewer days, the slope reflects weekdays instead of growth
MIN_CHARGES = 2  # first days of months, from which their charges are learned


def predict(history: Mapping[int, int], first: int, last: int, days: range) -> list[int]:
    """A value for each of *days*, from the *history* of the days *first* to *last* (missing days count as 0)."""
    known = {day: history.get(day, 0) for day in range(first, last + 1)}
    firsts = [day for day in known if _is_first(day)]
    usual_days = [day for day in known if day not in firsts or len(firsts) < MIN_CHARGES]
    model = _fit_model({day: known[day] for day in usual_days}, first)
    charge = 0.0
    if len(firsts) >= MIN_CHARGES:
        charge = max(0.0, fmean(known[day] - model(day) for day in firsts))
    return [
        round((model(day) + (charge if _is_first(day) else 0.0)) / MICROS_PER_CENT) * MICROS_PER_CENT for day in days
    ]


def _is_first(day: int) -> bool:
    return date.fromordinal(day).day == 1


def _fit_model(known: Mapping[int, int], first: int) -> Callable[[int], float]:
    """The trend and weekdays of the *known* days, as a function of the day."""
    mean = fmean(known.values())
    if mean <= 0:
        return lambda day: 0.0
    usual = [
        _weekday_share([value for day, value in known.items() if day % 7 == weekday], mean) for weekday in range(7)
    ]
    level, slope = _fit_line([(day - first, value / usual[day % 7]) for day, value in known.items() if usual[day % 7]])
    return lambda day: max(0.0, level + slope * (day - first)) * usual[day % 7]


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
