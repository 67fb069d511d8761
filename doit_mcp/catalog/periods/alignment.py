"""Alignment of two periods, so that a comparison compares like with like."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Literal, NamedTuple

from .period import ONE_DAY, Period, ReportedPeriod, month_of, subtract_months

Alignment = Literal["same_days", "whole", "per_day"]
AlignmentMember = Annotated[Alignment, "whole: whole calendar periods. per_day: lengths differ; compare costs per day."]
DAYS_PER_WEEK = 7


class AlignedPeriods(NamedTuple):
    """Two periods to compare, *after* with *before*."""

    before: ReportedPeriod
    after: ReportedPeriod
    alignment: Alignment

    @property
    def is_by_calendar(self) -> bool:
        """Whether both start with a month and end equally many months later, on the same day or at month end."""
        before, after = self.before.elapsed, self.after.elapsed
        if 0 != before.whole_months == after.whole_months:
            return True
        return before.first.day == after.first.day == 1 and cut_by_calendar(before, after, after.last) == before

    @property
    def has_equal_days(self) -> bool:
        """Whether both have the same number of days."""
        return self.before.days == self.after.days


def align(after: ReportedPeriod, before: ReportedPeriod | None = None) -> AlignedPeriods:
    """Return *after* with the period to compare it with: *before*, or the period before it if that is None.

    If *after* is not over, a *before* of the same kind is cut to the days that match the elapsed ones.
    """
    if before is None:
        before = ReportedPeriod(_choose_earlier_period(after), after.today)
    elif not after.complete and are_same_kind(before.whole, after.whole):
        before = replace(before, whole=match_part(before.whole, after.whole, after.elapsed.last))
    return AlignedPeriods(before, after, _describe_alignment(before.elapsed, after.elapsed))


def match_part(period: Period, model: Period, last: date) -> Period:
    """Return the part of *period* that matches the days of *model* up to *last*: by the calendar if both have as many
    whole months, otherwise as many days.
    """
    if period.whole_months and period.whole_months == model.whole_months:
        return cut_by_calendar(period, model, last)
    return period.first_days((last - model.first).days + 1)


def cut_by_calendar(period: Period, model: Period, last: date) -> Period:
    """Return *period* up to the day of the month, or the end of a shorter month, that *last* is in *model*.

    The same number of days could reach into another month, and include its monthly charges.
    """
    months = 12 * (last.year - model.first.year) + last.month - model.first.month
    month = month_of(subtract_months(period.first, -months))
    return Period(period.first, min(period.last, month.first_days(last.day).last))


def are_same_kind(one: Period, other: Period) -> bool:
    """Return whether both are the same number of calendar months, or have the same number of days."""
    return one.days == other.days or 0 != one.whole_months == other.whole_months


def _choose_earlier_period(after: ReportedPeriod) -> Period:
    """Return the period before: for one day, the same weekday of the week before."""
    if after.whole.days == 1:
        day = after.whole.first - DAYS_PER_WEEK * ONE_DAY
        return Period(day, day)
    previous = after.whole.previous_period()
    return previous if after.complete else match_part(previous, after.whole, after.elapsed.last)


def _describe_alignment(before: Period, after: Period) -> Alignment:
    if 0 != before.whole_months == after.whole_months:
        return "whole"
    return "same_days" if before.days == after.days else "per_day"
