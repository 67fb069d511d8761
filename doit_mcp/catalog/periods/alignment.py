"""Alignment of two periods, so that a comparison compares like with like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from .period import ONE_DAY, Period, ReportedPeriod

Alignment = Literal["same_days", "whole", "per_day"]
AlignmentMember = Annotated[
    Alignment,
    "same_days: both periods have the same number of days. whole: both are whole calendar periods, such as October and "
    "September. per_day: their lengths differ, so only costs per day compare.",
]
DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class AlignedPeriods:
    """Two periods to compare, *after* with *before*."""

    before: ReportedPeriod
    after: ReportedPeriod
    alignment: Alignment

    @property
    def has_equal_days(self) -> bool:
        """Whether both have the same number of days."""
        return self.before.days == self.after.days


def align(after: ReportedPeriod, before: ReportedPeriod | None = None) -> AlignedPeriods:
    """Return *after* with the period to compare it with: *before*, or the period before it if that is None.

    Against a period that is not over, a longer *before* of the same kind is cut to the days that have elapsed.
    """
    if before is None:
        before = ReportedPeriod(_default_before(after), after.today)
    elif not after.complete and before.days > after.days and _are_same_kind(before.whole, after.whole):
        before = replace(before, whole=before.whole.first_days(after.days))
    return AlignedPeriods(before, after, _alignment(before.elapsed, after.elapsed))


def _default_before(after: ReportedPeriod) -> Period:
    """Return the period before: for one day, the same weekday of the week before."""
    if after.whole.days == 1:
        day = after.whole.first - DAYS_PER_WEEK * ONE_DAY
        return Period(day, day)
    previous = after.whole.previous()
    return previous if after.complete else previous.first_days(after.days)


def _are_same_kind(one: Period, other: Period) -> bool:
    """Return whether both are the same number of calendar months, or have the same number of days."""
    return one.days == other.days or 0 != one.whole_months == other.whole_months


def _alignment(before: Period, after: Period) -> Alignment:
    if 0 != before.whole_months == after.whole_months:
        return "whole"
    return "same_days" if before.days == after.days else "per_day"
