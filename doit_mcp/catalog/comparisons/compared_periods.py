"""The days that two periods are compared over: their final days while costs of later days are still arriving."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, TypedDict

from ...api.errors import ApiError
from ...api.value_kinds import Day
from ...protocol.jsonrpc import JsonObject
from ..periods.alignment import AlignedPeriods, align, cut_by_calendar
from ..periods.period import ONE_DAY, Period, ReportedPeriod, subtract_months

WORKING_DAYS = 5
"""Days of a week from Monday to Friday."""

ComparedDays = TypedDict(
    "ComparedDays",
    {
        "from": Annotated[str, Day],
        "to": Annotated[str, Day],
        "days": int,
        "weekdays": Annotated[int, "Mondays to Fridays."],
    },
)
"""The days of a period that are compared."""


@dataclass(frozen=True, slots=True)
class ComparedPeriods:
    """Two periods as *asked* for, and their *final* days: None if all days are final, or if a period has none."""

    asked: AlignedPeriods
    final: AlignedPeriods | None

    @classmethod
    def from_asked(cls, asked: AlignedPeriods) -> ComparedPeriods:
        """Return the periods with their final days."""
        return cls(asked, final_periods(asked))

    @property
    def compared(self) -> AlignedPeriods:
        """The days that parts of the costs are compared over."""
        return self.final or self.asked

    @property
    def month_starts(self) -> tuple[int, int]:
        """How many first days of a month the compared days have, before and after."""
        return count_month_starts(self.compared.before.elapsed), count_month_starts(self.compared.after.elapsed)

    @property
    def has_equal_month_starts(self) -> bool:
        """Whether both have equally many days on which monthly charges are billed."""
        before, after = self.month_starts
        return before == after

    def cut_to_data(self, begin: date | None, argument: str) -> ComparedPeriods:
        """Return the periods without the days before *begin*, the first day with data; unchanged if all days have data.

        Raise ApiError if the earlier period ends before *begin*.
        """
        asked = cut_to_data(self.asked, begin, argument)
        if asked is self.asked:
            return self
        return ComparedPeriods(asked, self.final and cut_to_data(self.final, begin, argument))


def has_final_days(periods: AlignedPeriods) -> bool:
    """Whether both periods have days whose costs are final."""
    return periods.before.final_through is not None and periods.after.final_through is not None


def final_periods(periods: AlignedPeriods) -> AlignedPeriods | None:
    """Return the final days of both periods, cut to matching days unless they are compared per day.

    None if all days are final, or if one of the periods has no final day.
    """
    if not has_final_days(periods) or not (find_arriving_days(periods.before) or find_arriving_days(periods.after)):
        return None
    before, after = _select_final_days(periods.before), _select_final_days(periods.after)
    if periods.is_by_calendar:
        before = cut_by_calendar(before, after, after.last)
        after = cut_by_calendar(after, before, before.last)
    elif periods.alignment != "per_day":
        days = min(before.days, after.days)
        before, after = before.first_days(days), after.first_days(days)
    return AlignedPeriods(
        replace(periods.before, whole=before),
        replace(periods.after, whole=after),
        "same_days" if before.days == after.days else "per_day",
    )


def _select_final_days(period: ReportedPeriod) -> Period:
    return Period(period.whole.first, period.final_through or period.elapsed.last)


def find_arriving_days(period: ReportedPeriod) -> Period | None:
    """Return the days of a period whose costs are still arriving; None if all are final."""
    final = period.final_through
    first = period.whole.first if final is None else final + ONE_DAY
    return Period(first, period.elapsed.last) if first <= period.elapsed.last else None


def cut_to_data(periods: AlignedPeriods, begin: date | None, argument: str) -> AlignedPeriods:
    """Return *periods* without the days before *begin*, the first day with data; unchanged if all days have data.

    Raise ApiError if the earlier period ends before *begin*.
    """
    before = periods.before.elapsed
    if begin is None or begin <= before.first:
        return periods
    if begin > before.last:
        raise ApiError(
            f"{argument}: the data begins on {begin.isoformat()}, after the period {before.first.isoformat()}/"
            f"{before.last.isoformat()}. Compare with a later period",
            kind="argument",
        )
    shorter = replace(periods.before, whole=Period(begin, before.last))
    aligned = align(periods.after, shorter)
    # The costs are those of the shorter period, which must not be cut again.
    return aligned if aligned.before == shorter else AlignedPeriods(shorter, periods.after, "per_day")


def describe_days(period: Period) -> JsonObject:
    """Return the days of a period as a result shows them (ComparedDays)."""
    weeks, rest = divmod(period.days, 7)
    odd = sum((period.first.weekday() + day) % 7 < WORKING_DAYS for day in range(rest))
    return {**period.as_json, "weekdays": weeks * WORKING_DAYS + odd}


def count_month_starts(period: Period) -> int:
    """Return how many first days of a month a period has."""
    first = period.first if period.first.day == 1 else subtract_months(period.first, -1)
    if first > period.last:
        return 0
    return 12 * (period.last.year - first.year) + period.last.month - first.month + 1
