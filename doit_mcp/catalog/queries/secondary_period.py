"""The comparison period of a query: the days of its secondaryTimeRange, and how answers state them."""

from __future__ import annotations

from datetime import date
from typing import Any

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..periods.period import ONE_DAY, Period, ReportedPeriod, month_of, subtract_months
from ..tables import is_numeric
from .checks import query_metrics
from .config_period import UNIT_MONTHS, calendar_period, parse_span, partial_periods, row_interval

SECONDARY_RANGE = "query.secondaryTimeRange"
UNITS = ("day", *UNIT_MONTHS)


def secondary_period(config: JsonObject, main: Period, today: date) -> ReportedPeriod | None:
    """Return the period to compare *main* with, cut to *today*; None without secondaryTimeRange. Raise ApiError.

    It is *main* moved back in time, extended to whole units with includeCurrent.
    """
    settings: Any = config.get("secondaryTimeRange")
    if not settings:
        return None
    if span := settings.get("customTimeRange"):
        return ReportedPeriod(parse_span(span, f"{SECONDARY_RANGE}.customTimeRange", today), today)
    unit, amount = settings.get("unit"), settings.get("amount", 1)
    if unit not in UNITS or not isinstance(amount, int) or amount < 1:
        raise ApiError(
            f"{SECONDARY_RANGE}: needs a unit ({', '.join(UNITS)}) and an amount of at least 1, such as"
            ' {"amount": 1, "unit": "month"}; or customTimeRange',
            kind="argument",
        )
    try:
        moved = Period(_move_back(main.first, unit, amount), _move_end_back(main.last, unit, amount))
    except (ValueError, OverflowError):
        raise ApiError(f"{SECONDARY_RANGE}.amount: reaches back before the year 1", kind="argument") from None
    if settings.get("includeCurrent"):
        moved = Period(calendar_period(unit, moved.first).first, calendar_period(unit, moved.last).last)
    return ReportedPeriod(moved, today)


def _move_back(day: date, unit: str, amount: int) -> date:
    if unit == "day":
        return day - amount * ONE_DAY
    month = month_of(subtract_months(day, amount * UNIT_MONTHS[unit]))
    return month.first.replace(day=min(day.day, month.last.day))


def _move_end_back(day: date, unit: str, amount: int) -> date:
    """Return the day moved back; the end of a month stays the end of a month, even if the other month is longer."""
    if day != month_of(day).last:
        return _move_back(day, unit, amount)
    return _move_back(day + ONE_DAY, unit, amount) - ONE_DAY


def with_exact_secondary(config: JsonObject, secondary: ReportedPeriod | None) -> JsonObject:
    """Return *config* with the days of its comparison period, so that the stated days are those that are queried."""
    if secondary is None:
        return config
    return {**config, "secondaryTimeRange": {"customTimeRange": secondary.elapsed.span}}


def secondary_members(config: JsonObject, secondary: ReportedPeriod | None) -> JsonObject:
    """Return the members of an answer that state its comparison period; empty without one."""
    if secondary is None:
        return {}
    partial = partial_periods(secondary, row_interval(config))
    return {"secondaryPeriod": secondary.as_json, **({"secondaryPartialPeriods": partial} if partial else {})}


def secondary_note(config: JsonObject, columns: list[JsonObject]) -> list[str]:
    """Return a note if displayValues asks for changes, but *columns* has no numbers besides the metrics."""
    display = config.get("displayValues") or "actuals_only"
    numbers = sum(map(is_numeric, columns))
    if display == "actuals_only" or numbers > len(query_metrics(config)):
        return []
    return [f"displayValues {display} was not applied: rows and secondaryRows have amounts."]
