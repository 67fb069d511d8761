"""The days that periods are compared over."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.comparisons.compared_periods import (
    ComparedPeriods,
    count_month_starts,
    cut_to_data,
    describe_days,
    final_periods,
    find_arriving_days,
    has_final_days,
)
from doit_mcp.catalog.comparisons.final_days import note_arriving
from doit_mcp.catalog.costs.data_start import fetch_data_start
from doit_mcp.catalog.periods.alignment import AlignedPeriods, align
from doit_mcp.catalog.periods.grammar import parse_period
from doit_mcp.catalog.periods.period import Period, ReportedPeriod, month_of
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import Caller

TODAY = date(2026, 9, 21)
DAY = timedelta(days=1)
AUGUST, JULY = Period(date(2026, 8, 1), date(2026, 8, 31)), Period(date(2026, 7, 1), date(2026, 7, 31))


def period(first: str, last: str, today: date = TODAY) -> ReportedPeriod:
    return ReportedPeriod(Period(date.fromisoformat(first), date.fromisoformat(last)), today)


def cost_on(*days: str) -> Caller:
    """Return a caller whose bill has a cost on each of these days."""
    lines: list[Line] = [(day, {}, 1.0, 0.0) for day in days]
    return Caller(Recorder(make_api({}, lines)))


@given(days=st.lists(st.dates(date(2026, 1, 1), date(2026, 9, 20)), min_size=4, max_size=4), default=st.booleans())
def test_final_periods_are_the_final_days_of_both(days: list[date], default: bool) -> None:
    one, two, three, four = sorted(days)
    after = ReportedPeriod(Period(three, four), TODAY)
    periods = align(after, None if default else ReportedPeriod(Period(one, two), TODAY))
    final = final_periods(periods)
    arriving = [find_arriving_days(side) for side in (periods.before, periods.after)]
    assert (final is None) == (not any(arriving) or not has_final_days(periods))
    assert (note_arriving(periods, has_final=final is not None) == "") == (not any(arriving))
    if final is None:
        return
    for cut, whole in ((final.before, periods.before), (final.after, periods.after)):
        assert cut.whole.first == whole.whole.first and find_arriving_days(cut) is None
        assert cut.whole.last <= (whole.final_through or cut.whole.first)
    if periods.alignment != "per_day":
        assert final.before.days == final.after.days
    assert (final.alignment == "same_days") == (final.before.days == final.after.days)


def test_months_of_different_length_begin_alike() -> None:
    today = date(2026, 3, 30)
    final = final_periods(align(ReportedPeriod(month_of(today), today)))
    assert final is not None and final.before.elapsed == Period(date(2026, 2, 1), date(2026, 2, 27))
    assert final.after.elapsed == Period(date(2026, 3, 1), date(2026, 3, 27)) and final.alignment == "same_days"


@pytest.mark.parametrize(
    ("today", "after", "before", "final_before", "final_after"),
    [
        # By the calendar: the first of a month is in both or in none.
        ("2026-12-05", "this_quarter", None, "2026-07-01/2026-09-02", "2026-10-01/2026-12-02"),
        ("2027-01-01", "2026-Q4", "2026-Q3", "2026-07-01/2026-09-29", "2026-10-01/2026-12-29"),
        ("2028-03-04", "this_year", None, "2027-01-01/2027-03-01", "2028-01-01/2028-03-01"),
        ("2026-03-01", "2026-02", "2026-01", "2026-01-01/2026-01-26", "2026-02-01/2026-02-26"),
        ("2026-04-01", "2026-03", "2026-02", "2026-02-01/2026-02-28", "2026-03-01/2026-03-28"),
        ("2026-11-28", "last_7_days", None, "2026-11-14/2026-11-18", "2026-11-21/2026-11-25"),
    ],
)
def test_final_days_are_at_the_same_place_of_both_periods(
    today: str, after: str, before: str | None, final_before: str, final_after: str
) -> None:
    day = date.fromisoformat(today)
    final = final_periods(align(parse_period(after, "after", day), before and parse_period(before, "before", day)))
    assert final is not None
    spans = [
        f"{side.elapsed.first.isoformat()}/{side.elapsed.last.isoformat()}" for side in (final.before, final.after)
    ]
    assert spans == [final_before, final_after]


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 800))
def test_weekdays_and_month_starts_are_those_of_the_days(first: date, more: int) -> None:
    days = [first + number * DAY for number in range(more + 1)]
    span = Period(first, days[-1])
    assert describe_days(span)["weekdays"] == sum(day.weekday() < 5 for day in days)
    assert count_month_starts(span) == sum(day.day == 1 for day in days)


def test_final_days_before_the_data_are_refused() -> None:
    periods = ComparedPeriods.from_asked(align(period("2026-09-01", "2026-09-30")))
    assert periods.cut_to_data(date(2026, 7, 1), "before") is periods
    cut = periods.cut_to_data(date(2026, 8, 18), "before")
    assert (cut.asked.before.days, cut.compared.before.days, cut.compared.after.days) == (4, 1, 18)
    with pytest.raises(ApiError, match="before: the data begins on 2026-08-19, after the period 2026-08-01/2026-08-18"):
        periods.cut_to_data(date(2026, 8, 19), "before")


async def test_periods_are_cut_to_the_data() -> None:
    periods = align(ReportedPeriod(AUGUST, TODAY))

    async def cut(*days: str) -> AlignedPeriods:
        caller = cost_on(*days)
        return cut_to_data(periods, await fetch_data_start(caller), "before")

    assert await cut("2026-07-01") is periods and await cut("2026-06-30", "2026-08-01") is periods
    # Nothing in the months around July, but the data are older.
    assert await cut("2026-01-01", "2026-08-01") is periods
    # No data at all: nothing says when they begin.
    assert await cut() is periods
    shorter = await cut("2026-07-02", "2026-08-01")
    assert shorter.before.elapsed == Period(date(2026, 7, 2), date(2026, 7, 31)) and shorter.alignment == "per_day"
    with pytest.raises(ApiError, match="before: the data begins on 2026-08-03, after the period 2026-07-01/2026-07-31"):
        await cut("2026-08-03")


async def test_a_cut_period_can_have_as_many_days_as_the_later_one() -> None:
    today = date(2026, 8, 30)
    periods = AlignedPeriods(ReportedPeriod(JULY, today), ReportedPeriod(AUGUST, today), "per_day")
    caller = cost_on("2026-07-02")
    cut = cut_to_data(periods, await fetch_data_start(caller), "before")
    assert (cut.before.days, cut.after.days, cut.alignment) == (30, 30, "same_days")


async def test_a_cut_period_can_be_a_whole_month_like_the_later_one() -> None:
    earlier = ReportedPeriod(Period(date(2026, 6, 20), date(2026, 7, 31)), TODAY)

    async def cut(after: Period, today: date) -> AlignedPeriods:
        later = ReportedPeriod(after, today)
        caller = cost_on("2026-07-01")
        return cut_to_data(AlignedPeriods(earlier, later, "per_day"), await fetch_data_start(caller), "before")

    assert (await cut(AUGUST, TODAY)).alignment == "whole"
    # August is not over, but the costs are those of the whole July.
    unfinished = await cut(AUGUST, date(2026, 8, 20))
    assert (unfinished.before.elapsed, unfinished.alignment) == (JULY, "per_day")
