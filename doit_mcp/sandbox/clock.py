"""Clocks of the sandbox: the real time, or a chosen day, so that the ends of months and years can be tried."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from datetime import time as time_of_day

# The days whose billing history fits the calendar, the growth of costs and four-digit years.
EARLIEST_DAY, LATEST_DAY = date(2000, 1, 1), date(2099, 12, 31)
NOON = time_of_day(12, tzinfo=UTC)


def parse_today(text: str) -> date:
    """The day of ``yyyy-mm-dd``. Raises ValueError if *text* is not a date, or out of range."""
    day = datetime.strptime(text, "%Y-%m-%d").date()
    if not EARLIEST_DAY <= day <= LATEST_DAY:
        raise ValueError(f"not from {EARLIEST_DAY} to {LATEST_DAY}")
    return day


def clock_from(day: date, real_clock: Callable[[], float] = time.time) -> Callable[[], float]:
    """A clock that starts at noon UTC of *day* and then runs at the pace of *real_clock*."""
    # From noon, a session of usual length stays on the same day.
    offset = datetime.combine(day, NOON).timestamp() - real_clock()
    return lambda: real_clock() + offset
