"""Suggestions for texts that are not periods: the accepted form of what they probably mean."""

from __future__ import annotations

import re
from calendar import month_abbr, month_name
from datetime import date

from ...api.timestamps import SECONDS_RANGE, format_date
from .period import EARLIEST_DAY, MAX_PERIOD_DAYS, ONE_DAY

MAX_SUGGESTED_CHARACTERS = 40
"""Longer texts are not compared with forms."""
MAX_MILLISECONDS = 10**14

_SEPARATORS = re.compile(r"[\s,._/-]+")
_MONTHS = {
    name: number
    for names in (month_name, month_abbr, (*month_abbr[:9], "sept"))
    for number, name in enumerate(map(str.lower, names))
    if name
}
_YEAR = re.compile(r"[12]\d{3}")
_NUMBER = re.compile(r"[0-9]{1,2}")
_DAY_NUMBER = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?")
_QUARTER = re.compile(r"q([1-4])|([1-4])q|quarter ?([1-4])")
_ISO_WEEK = re.compile(r"([12]\d{3})-?w(\d{2})")
_DATES_IN_WORDS = re.compile(r"(?:from )?(\S+) (?:to|until|through|and|-) (\S+)")
_COMPACT_DAY = re.compile(r"([12]\d{3})(\d{2})(\d{2})")


def suggest_period(text: str, today: date, max_days: int, max_months: int) -> str | None:
    """Return the period that *text* probably means, in an accepted form; None if nothing is likely.

    *max_days* and *max_months* are the bounds of last_N_days and last_N_months.
    """
    normalized = text.strip().lower()
    if not normalized or len(normalized) > MAX_SUGGESTED_CHARACTERS or not normalized.isascii():
        return None
    try:
        if normalized.isdigit():
            return _without_early(_suggest_for_digits(normalized))
        if spelled := _suggest_week(normalized) or _suggest_dates(normalized):
            return _without_early(spelled)
        words = [word for word in _SEPARATORS.split(normalized) if word not in ("", "of", "the", "in")]
        return _without_early(_suggest_range(words, today, max_days, max_months) or _suggest_date(words, today))
    except (ValueError, OverflowError):
        # There is no month 13 and no year 0.
        return None


def _without_early(period: str | None) -> str | None:
    """Return *period*; None if it begins with a year before the earliest accepted day."""
    year = (period or "")[:4]
    return None if year.isdigit() and int(year) < EARLIEST_DAY.year else period


def _suggest_for_digits(text: str) -> str | None:
    """Return the day of a compact date (20261005), or of seconds or milliseconds since 1970. Raise ValueError."""
    if match := _COMPACT_DAY.fullmatch(text):
        return date(*map(int, match.groups())).isoformat()
    number = int(text)
    if number in SECONDS_RANGE:
        number *= 1000
    return format_date(number) or None if SECONDS_RANGE.stop <= number < MAX_MILLISECONDS else None


def _suggest_week(text: str) -> str | None:
    """Return the days of an ISO week (2026-W47), from Monday. Raise ValueError."""
    if match := _ISO_WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return f"{monday.isoformat()}/{(monday + 6 * ONE_DAY).isoformat()}"
    return None


def _suggest_dates(text: str) -> str | None:
    """Return the days that "2026-10-01 to 2026-10-15" means. Raise ValueError."""
    if match := _DATES_IN_WORDS.fullmatch(text):
        first, last = map(date.fromisoformat, match.groups())
        return f"{first.isoformat()}/{last.isoformat()}" if first <= last else None
    return None


def _suggest_range(words: list[str], today: date, max_days: int, max_months: int) -> str | None:
    """Return the days or months that "last 500 days", "past 3 months" or "last week" mean."""
    match words:
        case ["last" | "past" | "previous", count, "day" | "days"] if count.isdigit() and len(count) <= 9:
            days = int(count)
            if max_days < days <= MAX_PERIOD_DAYS:
                first, last = today - days * ONE_DAY, today - ONE_DAY
                return f"{first.isoformat()}/{last.isoformat()}"
            return f"last_{min(days, max_days)}_days" if days else None
        case ["last" | "past" | "previous", count, "month" | "months"] if count.isdigit() and len(count) <= 9:
            return f"last_{min(int(count), max_months)}_months" if int(count) else None
        case ["previous" | "past" | "prior", "month" | "quarter" | "year" as unit]:
            return f"last_{unit}"
        case ["last" | "past" | "previous", count, "week" | "weeks"] if count.isdigit() and len(count) <= 9:
            return f"last_{min(7 * int(count), max_days)}_days" if int(count) else None
        case ["last" | "past" | "previous" | "prior", "week"]:
            return "last_7_days"
        case ["current", "month" | "quarter" | "year" as unit]:
            return f"this_{unit}"
        case ["this" | "current", "week"]:
            return f"{(today - today.weekday() * ONE_DAY).isoformat()}/{today.isoformat()}"
    return None


def _suggest_date(words: list[str], today: date) -> str | None:
    """Return the day, month or quarter that words name: October 2026, 10/2026, 5 Oct 2026, Q3 2026. Raise ValueError.

    Without a year, it is the latest one that has begun.
    """
    years = [int(word) for word in words if _YEAR.fullmatch(word)]
    rest = [word for word in words if not _YEAR.fullmatch(word)]
    if len(years) > 1 or not rest:
        return None
    year = years[0] if years else None
    if quarter := _QUARTER.fullmatch(" ".join(rest)):
        number = int(next(filter(None, quarter.groups())))
        first_month = 3 * number - 2
        return f"{year or _latest_year(first_month, today):04}-Q{number}"
    months = [_MONTHS[word] for word in rest if word in _MONTHS]
    days = [int(match[1]) for word in rest if (match := _DAY_NUMBER.fullmatch(word))]
    if len(months) == 1 and len(rest) == 1 + len(days) and len(days) <= 1:
        year = year or _latest_year(months[0], today)
        first = date(year, months[0], days[0] if days else 1).isoformat()
        return first if days else first[:7]
    if year and len(rest) == 1 and _NUMBER.fullmatch(rest[0]):
        return date(year, int(rest[0]), 1).isoformat()[:7]
    return None


def _latest_year(month: int, today: date) -> int:
    return today.year if month <= today.month else today.year - 1
