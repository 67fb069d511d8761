"""Periods of days: months, quarters and years, periods cut to today, and the time ranges of queries."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, TypedDict

from ...api.report_config import QueryConfig, Span
from ...api.value_kinds import Day
from ...protocol.jsonrpc import JsonObject

MAX_PERIOD_DAYS = 1100
"""The longest period, in days: three years."""
ONE_DAY = timedelta(days=1)
EARLIEST_DAY = date(2000, 1, 1)
"""No bill is older. Periods must not begin earlier, so that the days before a period always exist."""
SETTLING_DAYS = 3
"""Days until DoiT's figures are final: costs of the last three days are provisional."""


# The functional form, because one field is a keyword of Python.
PeriodDays = TypedDict("PeriodDays", {"from": Annotated[str, Day], "to": Annotated[str, Day], "days": int}, total=False)
"""A period as results show it: first and last day, both included, and how many days it has."""

PeriodStatement = TypedDict(
    "PeriodStatement",
    {
        "from": Annotated[str, Day],
        "to": Annotated[str, Day],
        "days": int,
        "complete": Annotated[bool, "false until the period is over and its costs are final."],
        "finalThrough": Annotated[str | None, "Costs of later days can still change.", Day],
    },
)
"""The period of an answer: its days up to today, whether it is over, and how final its costs are."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days from *first* to *last*, inclusive."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def span(self) -> Span:
        """The period as the customTimeRange of a query."""
        return {"from": f"{self.first.isoformat()}T00:00:00Z", "to": f"{self.last.isoformat()}T23:59:59Z"}

    @property
    def as_json(self) -> JsonObject:
        """The period as a tool result shows it."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat(), "days": self.days}

    def previous_period(self) -> Period:
        """Return the period just before: as many whole months if this one is whole months, otherwise as many days."""
        end = self.first - ONE_DAY
        if months := self.whole_months:
            return Period(subtract_months(self.first, months), end)
        return Period(end - (self.days - 1) * ONE_DAY, end)

    @property
    def whole_months(self) -> int:
        """How many calendar months the period consists of; 0 if it begins or ends within a month."""
        if self.first.day != 1 or self.last != month_of(self.last).last:
            return 0
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1

    def first_days(self, days: int) -> Period:
        """Return the first *days* days; the whole period if it has no more."""
        return Period(self.first, min(self.last, self.first + (days - 1) * ONE_DAY))


@dataclass(frozen=True, slots=True)
class ReportedPeriod:
    """The period of an answer: the *whole* period that was asked for, cut to *today*. It begins today or earlier."""

    whole: Period
    today: date

    @property
    def elapsed(self) -> Period:
        """The days up to today, which the amounts of the answer cover."""
        return Period(self.whole.first, min(self.whole.last, self.today))

    @property
    def days(self) -> int:
        """The number of days in the answer."""
        return self.elapsed.days

    @property
    def complete(self) -> bool:
        """Whether the whole period is over."""
        return self.whole.last < self.today

    @property
    def final_through(self) -> date | None:
        """The last day whose costs are final; None if there is no such day."""
        last = min(self.elapsed.last, last_final_day(self.today))
        return last if last >= self.whole.first else None

    @property
    def as_json(self) -> JsonObject:
        """The period as a tool result states it (PeriodStatement)."""
        final = self.final_through
        return {
            **self.elapsed.as_json,
            "complete": self.complete and final == self.elapsed.last,
            "finalThrough": None if final is None else final.isoformat(),
        }


def last_final_day(today: date) -> date:
    """Return the last day whose costs are final."""
    return today - SETTLING_DAYS * ONE_DAY


def last_final_days(today: date, days: int) -> Period:
    """Return the last *days* days whose costs are final."""
    last = last_final_day(today)
    return Period(last - (days - 1) * ONE_DAY, last)


def utc_date(now: float) -> date:
    """Return the UTC date of a time in epoch seconds."""
    return datetime.fromtimestamp(now, UTC).date()


def subtract_months(first: date, months: int) -> date:
    """Return the first day of the month that is *months* before the month of *first*."""
    year, month = divmod(12 * first.year + first.month - 1 - months, 12)
    return date(year, month + 1, 1)


def month_of(day: date) -> Period:
    """Return the month that contains *day*."""
    return Period(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))


def quarter_of(day: date) -> Period:
    """Return the calendar quarter that contains *day*."""
    first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    return Period(first, month_of(first.replace(month=first.month + 2)).last)


def year_of(day: date) -> Period:
    """Return the calendar year that contains *day*."""
    return Period(date(day.year, 1, 1), date(day.year, 12, 31))


def with_period(config: QueryConfig, period: Period) -> QueryConfig:
    """Return *config* restricted to exactly this period."""
    return {**config, "timeRange": {"mode": "custom"}, "customTimeRange": period.span}
