"""The periods of budgets: days, weeks, months, quarters or years, or the one period of a fixed budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..periods.period import ONE_DAY, Period, month_of, quarter_of, year_of

DATE_CHARACTERS = len("2026-01-31")


def is_fixed(budget: JsonObject) -> bool:
    """Return whether a budget has one period. Rows of a list have no type, but those of fixed budgets have an end."""
    return bool(budget.get("type", "fixed" if to_day(budget.get("endPeriod")) else "recurring") == "fixed")


def current_period(budget: JsonObject, today: date) -> Period | None:
    """Return the period that the amounts of a budget cover; None if it is unknown.

    For a recurring budget it is the calendar period that contains *today*, or its first one if it begins later.
    """
    begins, ends = to_day(budget.get("startPeriod")), to_day(budget.get("endPeriod"))
    if is_fixed(budget):
        return Period(begins, ends) if begins and ends and begins <= ends else None
    interval = str(budget.get("timeInterval"))
    if interval not in PERIOD_OF_INTERVAL:
        return None
    day = max(today, begins) if begins else today
    period = PERIOD_OF_INTERVAL[interval](day)
    return Period(max(period.first, begins), period.last) if begins else period


def week_of(day: date) -> Period:
    """Return the week, Sunday to Saturday, that contains *day*."""
    sunday = day - day.isoweekday() % 7 * ONE_DAY
    return Period(sunday, sunday + 6 * ONE_DAY)


PERIOD_OF_INTERVAL: Mapping[str, Callable[[date], Period]] = {
    "day": lambda day: Period(day, day),
    "week": week_of,
    "month": month_of,
    "quarter": quarter_of,
    "year": year_of,
}


def count_periods(interval: str, first: date, last: date) -> int:
    """Return the number of calendar periods from the one with *first* to the one with *last*; 0 if it is the same."""
    begins, ends = (PERIOD_OF_INTERVAL[interval](day).first for day in (first, last))
    days, months = (ends - begins).days, (ends.year - begins.year) * 12 + ends.month - begins.month
    return {"day": days, "week": days // 7, "month": months, "quarter": months // 3, "year": months // 12}[interval]


def to_day(text: Any) -> date | None:
    """Return the day of an ISO date or time; None for anything else."""
    try:
        return date.fromisoformat(text[:DATE_CHARACTERS]) if isinstance(text, str) else None
    except ValueError:
        return None
