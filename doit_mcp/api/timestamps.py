"""Formats the API's timestamps, which are milliseconds since 1970."""

from datetime import UTC, datetime
from typing import Any


def format_timestamp(milliseconds: Any) -> str:
    """Format as RFC 3339 in UTC, to the millisecond; "" for invalid values."""
    moment = _to_datetime(milliseconds)
    return "" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_date(milliseconds: Any) -> str:
    """Format as YYYY-MM-DD in UTC; "" for invalid values and for 0, which the API uses for no date."""
    moment = _to_datetime(milliseconds) if milliseconds else None
    return "" if moment is None else moment.date().isoformat()


def _to_datetime(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
