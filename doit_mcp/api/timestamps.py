"""The API's times, milliseconds since 1970, as people write them."""

from datetime import UTC, datetime
from typing import Any


def moment(millis: Any) -> str:
    """RFC 3339 in UTC, to the millisecond; "" for anything that is no time."""
    found = _at(millis)
    return "" if found is None else found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(millis: Any) -> str:
    """YYYY-MM-DD in UTC; "" for 0, which the API sends for no date, and for anything that is no time."""
    found = _at(millis) if millis else None
    return "" if found is None else found.date().isoformat()


def _at(millis: Any) -> datetime | None:
    if not isinstance(millis, int | float) or isinstance(millis, bool):
        return None
    try:
        return datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
