"""Calendar days and periods; a day is its proleptic ordinal (``date.toordinal``), in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

UNITS = ("day", "week", "month", "quarter", "year")
EPOCH = date(1970, 1, 1).toordinal()
DAY_SECONDS = 86_400
DAY_MILLISECONDS = DAY_SECONDS * 1000


def day_of_seconds(now: float) -> int:
    """The day of a time in epoch seconds."""
    return EPOCH + int(now // DAY_SECONDS)


def seconds_of(day: int) -> int:
    """Midnight of the day in epoch seconds."""
    return (day - EPOCH) * DAY_SECONDS


def milliseconds_of(day: int) -> int:
    """Midnight of the day in epoch milliseconds."""
    return seconds_of(day) * 1000


def day_of_milliseconds(millis: int) -> int:
    """The day of a time in epoch milliseconds."""
    return EPOCH + millis // DAY_MILLISECONDS


def format_rfc3339(seconds: float) -> str:
    """A time in epoch seconds as RFC 3339, UTC, in whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def add_months(day: int, months: int) -> int:
    """The day *months* later (or earlier if negative), limited to the length of its month."""
    found = date.fromordinal(day)
    index = found.year * 12 + found.month - 1 + months
    first = date(index // 12, index % 12 + 1, 1)
    following = date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    length = (following - first).days
    return first.toordinal() + min(found.day, length) - 1


def start_of(unit: str, day: int) -> int:
    """The first day of the period around *day*; weeks start on Sunday, isoweeks on Monday."""
    found = date.fromordinal(day)
    if unit == "week":
        return day - found.isoweekday() % 7
    if unit == "isoweek":
        return day - found.weekday()
    if unit == "month":
        return day - found.day + 1
    if unit == "quarter":
        return date(found.year, (found.month - 1) // 3 * 3 + 1, 1).toordinal()
    return date(found.year, 1, 1).toordinal() if unit == "year" else day


def add_periods(unit: str, start: int, periods: int) -> int:
    """The start of a period *periods* later (or earlier if negative)."""
    if unit in ("day", "week", "isoweek"):
        return start + periods * (1 if unit == "day" else 7)
    return add_months(start, periods * {"month": 1, "quarter": 3, "year": 12}[unit])


def periods_between(unit: str, start: int, later: int) -> int:
    """The number of periods between two period starts."""
    if unit in ("day", "week", "isoweek"):
        return (later - start) // (1 if unit == "day" else 7)
    first, last = date.fromordinal(start), date.fromordinal(later)
    months = (last.year - first.year) * 12 + last.month - first.month
    return months // {"month": 1, "quarter": 3, "year": 12}[unit]


def day_row(day: int) -> tuple[int | str, ...]:
    """The ledger's row for a day, in the order of its ``days`` table."""
    found = date.fromordinal(day)
    week = start_of("week", day)
    iso = found.isocalendar()
    # A week belongs to the year in which it starts, so grouping by year and week never splits one.
    week_start = date.fromordinal(week)
    first_sunday = start_of("week", date(week_start.year, 1, 7).toordinal())
    return (
        day,
        f"{found.year:04}",
        f"Q{(found.month + 2) // 3}",
        f"{found.month:02}",
        f"{found.day:02}",
        found.strftime("%A"),
        f"{week_start.year:04}",
        f"{(week - first_sunday) // 7 + 1:02}",
        f"{iso.year:04}",
        f"{iso.week:02}",
        week,
        start_of("isoweek", day),
        start_of("month", day),
        start_of("quarter", day),
        start_of("year", day),
    )


def parse_day(text: str) -> int:
    """The day of ``yyyy-mm-dd``; raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d").date().toordinal()


def parse_instant(text: str) -> int:
    """The UTC day of an RFC 3339 time; raises ValueError."""
    return _parse_instant(text).date().toordinal()


def parse_seconds(text: str) -> float:
    """The epoch seconds of an RFC 3339 time; raises ValueError."""
    return _parse_instant(text).timestamp()


def _parse_instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or "T" not in text.upper():
        raise ValueError(f"no time with an offset: {text!r}")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"beyond the calendar: {text!r}") from None
