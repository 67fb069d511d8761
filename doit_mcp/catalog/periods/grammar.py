"""The one grammar of periods in arguments: 2026-10, 2026-Q3, 2026-10-01/2026-10-15, last_7_days, this_month."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from ...api.errors import ApiError
from ...protocol.json_schema import Length, short_json
from .period import (
    EARLIEST_DAY,
    MAX_PERIOD_DAYS,
    ONE_DAY,
    Period,
    ReportedPeriod,
    month_of,
    quarter_of,
    subtract_months,
    year_of,
)
from .suggestions import suggest_period

MAX_LAST_DAYS = 400
MAX_LAST_MONTHS = 36
MAX_PERIOD_CHARACTERS = 80

PERIOD_FORMS = (
    "a month, quarter, year or day (2026-10, 2026-Q3, 2026, 2026-10-05), first/last day "
    f"(2026-10-01/2026-10-15), today, yesterday, last_7_days (1 to {MAX_LAST_DAYS}), this_month (mtd), "
    f"this_quarter (qtd), this_year (ytd), last_month, last_quarter, last_year, last_3_months (1 to {MAX_LAST_MONTHS})"
)
"""The accepted forms, for error messages."""

PeriodArgument = Annotated[
    str | None,
    "2026-10, 2026-Q3, 2026-10-01/2026-10-15, last_7_days, last_3_months, this_month, last_month, ytd.",
    Length(1, MAX_PERIOD_CHARACTERS),
]
ShortPeriodArgument = Annotated[str | None, "As period.", Length(1, MAX_PERIOD_CHARACTERS)]
"""The description for further arguments of a tool that describes the forms once."""

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_QUARTER = re.compile(r"(\d{4})[- ]?q([1-4])")
_YEAR = re.compile(r"\d{4}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})[t ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(z|[+-]\d{2}:?\d{2})?")
_WORD_SEPARATOR = re.compile(r"[\s_-]+")
_SHORT_NAMES = {"mtd": "this month", "qtd": "this quarter", "ytd": "this year"}
_CALENDAR: dict[str, Callable[[date], Period]] = {"month": month_of, "quarter": quarter_of, "year": year_of}


def parse_period(text: str, argument: str, today: date) -> ReportedPeriod:
    """Parse a period in any accepted form. Raise ApiError, which names *argument* and lists the forms."""
    normalized = text.strip().lower()
    try:
        whole = _parse_words(normalized, today) or _parse_dates(normalized)
    except (ValueError, OverflowError):
        whole = None
    if whole is None:
        suggestion = suggest_period(text, today, MAX_LAST_DAYS, MAX_LAST_MONTHS)
        hint = f"Did you mean {suggestion}? " if suggestion else ""
        raise ApiError(
            f"{argument}: {short_json(text)} is not a period. {hint}Accepted: {PERIOD_FORMS}", kind="argument"
        )
    if whole.first < EARLIEST_DAY:
        raise ApiError(f"{argument}: must not begin before {EARLIEST_DAY.isoformat()}", kind="argument")
    if not 1 <= whole.days <= MAX_PERIOD_DAYS:
        raise ApiError(
            f"{argument}: must be 1 to {MAX_PERIOD_DAYS} days long, with the first day first, such as "
            "2026-10-01/2026-10-15",
            kind="argument",
        )
    return report_period(whole, argument, today)


def report_period(whole: Period, argument: str, today: date) -> ReportedPeriod:
    """Return *whole* cut to *today*. Raise ApiError if it begins later."""
    if whole.first > today:
        raise ApiError(
            f"{argument}: {whole.first.isoformat()} is in the future (today is {today.isoformat()}). "
            "For expected costs, use forecast_spend",
            kind="argument",
        )
    return ReportedPeriod(whole, today)


def last_months(months: int, today: date) -> ReportedPeriod:
    """Return the last *months* months, including the current one."""
    return ReportedPeriod(Period(subtract_months(today, months - 1), month_of(today).last), today)


def period_or_months(period: str | None, months: int | None, default_months: int, today: date) -> ReportedPeriod:
    """Return the period of one of two arguments: *period*, or *months* including the current one. Raise ApiError."""
    if period is None:
        return last_months(months or default_months, today)
    if months is not None:
        raise ApiError("months: cannot be combined with period; use only one of them", kind="argument")
    return parse_period(period, "period", today)


def _parse_words(text: str, today: date) -> Period | None:
    """Return the period that words describe relative to *today*; None for any other text."""
    words = _WORD_SEPARATOR.split(_SHORT_NAMES.get(text, text))
    match words:
        case ["today"]:
            return Period(today, today)
        case ["yesterday"]:
            return Period(today - ONE_DAY, today - ONE_DAY)
        case ["this", unit] if unit in _CALENDAR:
            return _CALENDAR[unit](today)
        case ["last", unit] if unit in _CALENDAR:
            return _CALENDAR[unit](_CALENDAR[unit](today).first - ONE_DAY)
        case ["last", count, "day" | "days"] if _is_count(count, MAX_LAST_DAYS):
            return Period(today - int(count) * ONE_DAY, today - ONE_DAY)
        case ["last", count, "month" | "months"] if _is_count(count, MAX_LAST_MONTHS):
            return Period(subtract_months(today, int(count)), today.replace(day=1) - ONE_DAY)
    return None


def _is_count(text: str, maximum: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= maximum


def _parse_dates(text: str) -> Period | None:
    """Return the period of a date, or from the first date to the last; None for any other text. Raise ValueError."""
    first_text, slash, last_text = (part.strip() for part in text.partition("/"))
    first = _parse_date(first_text)
    last = _parse_date(last_text, is_end=True) if slash else first
    return Period(first.first, last.last) if first and last else None


def _parse_date(text: str, *, is_end: bool = False) -> Period | None:
    """Return the day, month, quarter or year that *text* names; None if it names none. Raise ValueError.

    An end at midnight is exclusive, so it names the day before.
    """
    if _DAY.fullmatch(text):
        day = date.fromisoformat(text)
        return Period(day, day)
    if _INSTANT.fullmatch(text):
        moment = datetime.fromisoformat(text.upper())
        # The date as written, because bills have days without a time zone.
        day = moment.date() - ONE_DAY if is_end and moment.time() == datetime.min.time() else moment.date()
        return Period(day, day)
    if month := _MONTH.fullmatch(text):
        return month_of(date(int(month[1]), int(month[2]), 1))
    if quarter := _QUARTER.fullmatch(text):
        return quarter_of(date(int(quarter[1]), 3 * int(quarter[2]), 1))
    return year_of(date(int(text), 1, 1)) if _YEAR.fullmatch(text) else None
