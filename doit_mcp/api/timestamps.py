"""Formats the API's timestamps (milliseconds since 1970) as ISO dates and times, and parses such texts into them."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from ..protocol.json_schema import JsonObject
from .errors import ApiError

SECONDS_RANGE = range(100_000_000, 100_000_000_000)
"""Numbers that are dates from 1973 on in seconds, but only the first years after 1970 in milliseconds."""
MILLISECONDS = re.compile(r"-?[0-9]{1,18}")
"""Numbers that fit into 64 bits."""
MAX_TIME_CHARACTERS = 40
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
ACCEPTED_TIMES = "a date such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970"


def format_timestamp(milliseconds: Any) -> str:
    """Format as RFC 3339 in UTC, to the millisecond; "" for invalid values."""
    moment = _to_datetime(milliseconds)
    return "" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_date(milliseconds: Any) -> str:
    """Format as YYYY-MM-DD in UTC; "" for invalid values and for 0, which the API uses for no date."""
    moment = _to_datetime(milliseconds) if milliseconds else None
    return "" if moment is None else moment.date().isoformat()


def format_day_or_time(milliseconds: Any) -> str:
    """Format midnight as YYYY-MM-DD and any other time as RFC 3339, both in UTC; "" for invalid values and for 0."""
    day, moment = format_date(milliseconds), format_timestamp(milliseconds)
    return day if moment == f"{day}T00:00:00.000Z" else moment if day else ""


def with_iso_times(record: JsonObject, names: Mapping[str, Callable[[Any], str]]) -> JsonObject:
    """Return *record* with the members *names* as text in the format of each; null if they are not a time.

    Missing members stay missing, and text is unchanged.
    """
    formatted = {
        name: format_time(record[name]) or None
        for name, format_time in names.items()
        if name in record and not isinstance(record[name], str)
    }
    return {**record, **formatted}


def parse_time(value: Any, argument: str) -> int:
    """Parse a date, a time or milliseconds since 1970 into milliseconds. Raise ApiError naming *argument*.

    Times without a zone are in UTC. Numbers that are a plausible time only in seconds are refused.
    """
    text = str(value).strip()
    number = int(text) if MILLISECONDS.fullmatch(text) else None
    if number is None:
        moment = _parse_iso(text)
        if moment is None:
            raise ApiError(f"{argument}: must be {ACCEPTED_TIMES}", kind="argument")
        return (moment - EPOCH) // MILLISECOND
    if number in SECONDS_RANGE:
        raise ApiError(
            f"{argument}: {number} looks like seconds since 1970. Pass the date {format_date(number * 1000)} or the"
            f" milliseconds {number * 1000}",
            kind="argument",
        )
    return number


def parse_optional_time(value: Any, argument: str) -> int | None:
    """Parse like parse_time(); None for None and "", which forms send for an omitted value."""
    return None if value is None or value == "" else parse_time(value, argument)


def canonical_time(argument: str) -> Callable[[Any], str | int]:
    """Return the function that converts a value of *argument* to the form that results show."""

    def canonical(value: Any) -> str | int:
        milliseconds = parse_time(value, argument)
        return format_day_or_time(milliseconds) or milliseconds

    return canonical


def _parse_iso(text: str) -> datetime | None:
    if len(text) > MAX_TIME_CHARACTERS:
        # Python reads a number of any length as a time.
        return None
    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _to_datetime(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
