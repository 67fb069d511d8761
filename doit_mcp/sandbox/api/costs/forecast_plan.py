"""Forecast plans: periods to predict and days to learn from, from validated forecastSettings."""

from __future__ import annotations

from dataclasses import dataclass

from ..responses import JsonObject, bad_request
from .calendar_days import add_periods, parse_instant, start_of
from .ranges import DayRange

# (minimum, maximum, default) number of periods to learn from and to predict; the API document defines the bounds.
HISTORY_BOUNDS = {
    "day": (2, 500),
    "week": (2, 100),
    "isoweek": (2, 100),
    "month": (2, 36),
    "quarter": (2, 12),
    "year": (2, 6),
}
FUTURE_BOUNDS = {
    "day": (1, 100),
    "week": (1, 52),
    "isoweek": (1, 52),
    "month": (1, 12),
    "quarter": (1, 4),
    "year": (1, 3),
}
DEFAULT_FUTURE = {"day": 30, "week": 8, "isoweek": 8, "month": 3, "quarter": 2, "year": 1}
DEFAULT_HISTORY_DAYS = 182


@dataclass(frozen=True, slots=True)
class Forecast:
    """Periods of *unit* to predict, each as its first day, from the days of *training_range*; per group or of the
    total.
    """

    unit: str
    starts: tuple[int, ...]
    training_range: DayRange
    by_group: bool


def parse_forecast(
    config: JsonObject, unit: str | None, range_: DayRange, today: int, *, counting: bool
) -> Forecast | None:
    """The forecast of a report configuration, or None."""
    settings = config.get("forecastSettings")
    if settings is None and not (config.get("advancedAnalysis") or {}).get("forecast"):
        return None
    if unit not in FUTURE_BOUNDS:
        raise bad_request(
            "timeInterval of a forecast must be day, week, isoweek, month, quarter or year", field="timeInterval"
        )
    if (config.get("aggregation") or "total") != "total" or counting:
        raise bad_request("aggregation must be total with a forecast in the sandbox", field="aggregation")
    settings = settings or {}
    starts = _list_starts(settings, unit, range_, today)
    return Forecast(unit, starts, _training_range(settings, unit, today), settings.get("mode") == "grouping")


def _list_starts(settings: JsonObject, unit: str, range_: DayRange, today: int) -> tuple[int, ...]:
    """The periods after the rows, or the current one if the rows end before it."""
    first = max(add_periods(unit, start_of(unit, min(range_.last, today)), 1), start_of(unit, today))
    custom = settings.get("futureCustomDateRange")
    if custom:
        last = _parse_day(custom, "to", "futureCustomDateRange")
        count = 0
        while count <= FUTURE_BOUNDS[unit][1] and add_periods(unit, first, count) <= last:
            count += 1
        where = "futureCustomDateRange"
    else:
        where = "futureTimeIntervals"
        count = settings.get(where) or DEFAULT_FUTURE[unit]
    _check_bounds(count, FUTURE_BOUNDS[unit], where, unit)
    return tuple(add_periods(unit, first, index) for index in range(count))


def _training_range(settings: JsonObject, unit: str, today: int) -> DayRange:
    custom = settings.get("historicalCustomDateRange")
    if custom:
        first, last = (_parse_day(custom, name, "historicalCustomDateRange") for name in ("from", "to"))
        if not first <= min(last, today):
            where = "forecastSettings.historicalCustomDateRange"
            raise bad_request(f"{where} is empty or in the future", field=where)
        return DayRange(first, min(last, today))
    count = settings.get("historicalTimeIntervals")
    if count is None:
        return DayRange(today - DEFAULT_HISTORY_DAYS + 1, today)
    _check_bounds(count, HISTORY_BOUNDS[unit], "historicalTimeIntervals", unit)
    return DayRange(add_periods(unit, start_of(unit, today), 1 - count), today)


def _check_bounds(count: int, bounds: tuple[int, int], name: str, unit: str) -> None:
    if not bounds[0] <= count <= bounds[1]:
        where = f"forecastSettings.{name}"
        raise bad_request(f"{where} must be between {bounds[0]} and {bounds[1]} for timeInterval {unit}", field=where)


def _parse_day(found: JsonObject, name: str, where: str) -> int:
    try:
        return parse_instant(found[name])
    except (KeyError, ValueError):
        where = f"forecastSettings.{where}.{name}"
        raise bad_request(f"{where} must be an RFC 3339 time", field=where) from None
