"""Which queries are expected to take long, by their configuration."""

from __future__ import annotations

from datetime import date

from ...protocol.jsonrpc import JsonObject

MAX_DAYS_BY_DAY = 92
MAX_DAYS_BY_HOUR = 7
MAX_DAYS = 366
CLOUD_DIMENSION = "cloud_provider"
DAYS_PER_UNIT = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


def is_expected_long(config: JsonObject) -> bool:
    """Return whether a query is likely to run for minutes: many rows, over a long range.

    The API reads and groups the billing lines of the whole range. Without groups, or by cloud, it returns a few rows
    per interval, which is quick for any range; so is a short range with any groups. Both periods of a comparison count.
    """
    if all(group.get("id") == CLOUD_DIMENSION for group in config.get("group") or ()):
        return False
    interval = config.get("timeInterval")
    limit = (
        MAX_DAYS_BY_HOUR if interval == "hour" else MAX_DAYS_BY_DAY if interval in ("day", "dayCumSum") else MAX_DAYS
    )
    return _estimate_days(config) > limit


def _estimate_days(config: JsonObject) -> int:
    """Return the approximate number of days that a query covers; 0 if unknown."""
    days = _count_span_days(config.get("customTimeRange"))
    time_range = config.get("timeRange")
    if not days and isinstance(time_range, dict):
        amount = time_range.get("amount") or 1
        days = amount * DAYS_PER_UNIT.get(str(time_range.get("unit")), 0) if isinstance(amount, int) else 0
    return 2 * days if config.get("secondaryTimeRange") else days


def _count_span_days(span: object) -> int:
    """Return the number of days of a custom range; 0 if they cannot be read."""
    if not isinstance(span, dict):
        return 0
    try:
        first, last = (date.fromisoformat(str(span.get(name))[:10]) for name in ("from", "to"))
    except ValueError:
        return 0
    return max(0, (last - first).days + 1)
