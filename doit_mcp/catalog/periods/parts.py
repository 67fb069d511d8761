"""Parts of a period: its days, ISO weeks or months, with those that it covers only in part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal, TypedDict

from ...api.value_kinds import Day
from ...protocol.jsonrpc import JsonObject
from .period import ONE_DAY, Period, month_of

Interval = Literal["day", "week", "month"]
LAST_WEEKDAY = 6

PartialPart = TypedDict(
    "PartialPart",
    {"period": Annotated[str, Day], "from": Annotated[str, Day], "to": Annotated[str, Day], "days": int},
)
"""A week or month that is not covered completely, and the days that are."""


@dataclass(frozen=True, slots=True)
class PeriodPart:
    """A day (2026-11-05), ISO week (2026-W45) or month (2026-11): the *whole* one, and the days that are *covered*."""

    label: str
    whole: Period
    covered: Period

    @property
    def is_partial(self) -> bool:
        """Whether days are missing."""
        return self.covered != self.whole

    @property
    def as_json(self) -> JsonObject:
        """The part as a tool result shows it (PartialPart)."""
        return {"period": self.label, **self.covered.as_json}


def split_period(period: Period, interval: Interval) -> Iterator[PeriodPart]:
    """Yield the days, weeks or months of a period in their order."""
    day = period.first
    while day <= period.last:
        whole = find_part(day, interval)
        yield PeriodPart(part_label(day, interval), whole, Period(day, min(whole.last, period.last)))
        day = whole.last + ONE_DAY


def find_part(day: date, interval: Interval) -> Period:
    """Return the day, ISO week (from Monday) or month that contains *day*."""
    match interval:
        case "month":
            return month_of(day)
        case "week":
            monday = day - day.weekday() * ONE_DAY
            return Period(monday, monday + LAST_WEEKDAY * ONE_DAY)
    return Period(day, day)


def part_label(day: date, interval: Interval) -> str:
    """Return the name in results of the day, week or month that contains *day*."""
    match interval:
        case "month":
            return day.isoformat()[:7]
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
    return day.isoformat()
