"""Time ranges of reports, in days: timeRange, customTimeRange, secondaryTimeRange, and overrides of saved ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..responses import JsonObject, bad_request
from .calendar_days import add_months, add_periods, parse_day, parse_instant, start_of

DEFAULT_TIME_RANGE: JsonObject = {"mode": "last", "amount": 7, "unit": "day", "includeCurrent": True}
PERIOD = re.compile(r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})D)?")


@dataclass(frozen=True, slots=True)
class DayRange:
    """The days from *first* to *last*, inclusive."""

    first: int
    last: int


def primary_range(config: JsonObject, today: int) -> DayRange:
    """The range of a validated report configuration; the last seven days without timeRange."""
    settings = config.get("timeRange") or DEFAULT_TIME_RANGE
    mode = settings.get("mode") or "last"
    if mode == "custom":
        if not config.get("customTimeRange"):
            raise bad_request("customTimeRange is required with timeRange.mode custom", field="customTimeRange")
        return _parse_instants(config["customTimeRange"], "customTimeRange")
    unit = settings.get("unit") or "day"
    current = start_of(unit, today)
    if mode == "current":
        return DayRange(current, today)
    amount = settings.get("amount", 1)
    if amount < 1:
        raise bad_request("timeRange.amount must be at least 1 with mode last", field="timeRange.amount")
    back = amount - 1 if settings.get("includeCurrent") else amount
    try:
        first = add_periods(unit, current, -back)
    except ValueError:
        first = 0
    if first < 1:
        raise bad_request("timeRange.amount reaches back before the calendar begins", field="timeRange.amount")
    return DayRange(first, today if settings.get("includeCurrent") else current - 1)


def comparison_range(config: JsonObject, main: DayRange) -> DayRange | None:
    """The comparison range, or None.

    The main range moved back by days, or with includeCurrent extended to complete periods.
    """
    settings = config.get("secondaryTimeRange")
    if not settings:
        return None
    if settings.get("customTimeRange"):
        return _parse_instants(settings["customTimeRange"], "secondaryTimeRange.customTimeRange")
    unit, amount = settings.get("unit"), settings.get("amount", 1)
    if unit is None or amount < 1:
        where = "secondaryTimeRange.amount" if unit else "secondaryTimeRange.unit"
        raise bad_request(f"{where}: needs unit and an amount of at least 1, or customTimeRange", field=where)
    try:
        first, last = _move_back(unit, main.first, amount), _move_end_back(unit, main.last, amount)
        if settings.get("includeCurrent"):
            first = start_of(unit, first)
            last = add_periods(unit, start_of(unit, last), 1) - 1
    except ValueError:
        raise bad_request(
            "secondaryTimeRange reaches back before the calendar begins", field="secondaryTimeRange"
        ) from None
    return DayRange(first, last)


def override_range(query: Mapping[str, str], today: int) -> DayRange | None:
    """The range of GET /analytics/v1/reports/{id}: timeRange ``P[n]Y[n]M[n]D``, or startDate with endDate."""
    period, start, end = (query.get(name, "") for name in ("timeRange", "startDate", "endDate"))
    if period and (start or end):
        raise bad_request("timeRange cannot be combined with startDate and endDate", field="timeRange")
    if bool(start) != bool(end):
        raise bad_request("startDate and endDate are required together", field="endDate" if start else "startDate")
    if start:
        return _make_range(_parse_date(start, "startDate"), _parse_date(end, "endDate"), "endDate")
    return _parse_period(period, today) if period else None


def _parse_period(text: str, today: int) -> DayRange:
    found = PERIOD.fullmatch(text)
    years, months, days = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if years + months + days == 0:
        raise bad_request(f"timeRange {text[:40]!r} is not of the form P[n]Y[n]M[n]D", field="timeRange")
    try:
        first = add_months(today, -(12 * years + months)) - days + 1
    except ValueError:
        first = 0
    if first < 1:
        raise bad_request("timeRange reaches back before the calendar begins", field="timeRange")
    return DayRange(first, today)


def _move_back(unit: str, day: int, amount: int) -> int:
    return day - amount if unit == "day" else add_months(day, -amount * {"month": 1, "quarter": 3, "year": 12}[unit])


def _move_end_back(unit: str, day: int, amount: int) -> int:
    # The end of a month stays the end of a month, even if the other month is longer.
    ends_month = start_of("month", day + 1) == day + 1
    return _move_back(unit, day + 1, amount) - 1 if ends_month else _move_back(unit, day, amount)


def _parse_instants(found: Mapping[str, str], where: str) -> DayRange:
    days = []
    for name in ("from", "to"):
        try:
            days.append(parse_instant(found[name]))
        except (KeyError, ValueError):
            raise bad_request(f"{where}.{name} must be an RFC 3339 time", field=f"{where}.{name}") from None
    return _make_range(days[0], days[1], f"{where}.to")


def _parse_date(text: str, name: str) -> int:
    try:
        return parse_day(text)
    except ValueError:
        raise bad_request(f"{name} must be a date of the form yyyy-mm-dd", field=name) from None


def _make_range(first: int, last: int, where: str) -> DayRange:
    if last < first:
        raise bad_request(f"{where} is before the start", field=where)
    return DayRange(first, last)
