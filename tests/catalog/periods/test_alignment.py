"""Alignment of compared periods."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.periods.alignment import align
from doit_mcp.catalog.periods.grammar import parse_period
from doit_mcp.catalog.periods.period import ReportedPeriod

DAYS = st.dates(date(2020, 3, 1), date(2060, 12, 31))
TEXTS = st.sampled_from(
    ["today", "yesterday", "last_7_days", "this_month", "this_quarter", "this_year", "last_month", "last_year"]
)


def align_periods(today: str, after: str, before: str | None = None) -> tuple[str, str, str]:
    """Return the days of the period before, those of the period after, and how they are aligned."""
    day = date.fromisoformat(today)
    pair = align(parse_period(after, "after", day), None if before is None else parse_period(before, "before", day))
    return span(pair.before), span(pair.after), pair.alignment


def span(period: ReportedPeriod) -> str:
    return f"{period.elapsed.first.isoformat()}/{period.elapsed.last.isoformat()}"


@pytest.mark.parametrize(
    ("today", "after", "before", "alignment"),
    [
        ("2026-11-28", "this_month", "2026-10-01/2026-10-28", "same_days"),
        ("2026-11-30", "this_month", "2026-10-01/2026-10-30", "same_days"),
        ("2026-12-01", "this_month", "2026-11-01/2026-11-01", "same_days"),
        ("2027-01-01", "this_month", "2026-12-01/2026-12-01", "same_days"),
        # February is shorter than what has elapsed of March.
        ("2026-03-30", "this_month", "2026-02-01/2026-02-28", "per_day"),
        ("2026-03-31", "this_month", "2026-02-01/2026-02-28", "whole"),
        ("2028-02-29", "this_month", "2028-01-01/2028-01-29", "same_days"),
        ("2026-11-28", "this_quarter", "2026-07-01/2026-08-28", "same_days"),
        ("2026-11-28", "this_year", "2025-01-01/2025-11-28", "same_days"),
        # The same day of the month, so that both have the same firsts of a month.
        ("2026-12-01", "this_quarter", "2026-07-01/2026-09-01", "per_day"),
        ("2028-02-29", "this_year", "2027-01-01/2027-02-28", "whole"),
        ("2028-03-15", "this_year", "2027-01-01/2027-03-15", "per_day"),
        ("2026-07-31", "this_quarter", "2026-04-01/2026-04-30", "whole"),
        ("2026-05-31", "2026-05/2026-06", "2026-03-01/2026-03-31", "whole"),
        ("2026-11-28", "last_month", "2026-09-01/2026-09-30", "whole"),
        ("2026-11-28", "2026-Q3", "2026-04-01/2026-06-30", "whole"),
        ("2026-11-28", "last_7_days", "2026-11-14/2026-11-20", "same_days"),
        ("2026-11-28", "today", "2026-11-21/2026-11-21", "same_days"),
        ("2026-11-28", "2026-11-02", "2026-10-26/2026-10-26", "same_days"),
        ("2026-11-28", "2026-11-20/2026-12-05", "2026-11-04/2026-11-12", "same_days"),
    ],
)
def test_a_period_is_compared_with_the_one_before(today: str, after: str, before: str, alignment: str) -> None:
    assert align_periods(today, after)[0::2] == (before, alignment)


@pytest.mark.parametrize(
    ("after", "before", "compared", "alignment"),
    [
        ("this_month", "2026-10", "2026-10-01/2026-10-28", "same_days"),
        ("this_month", "2025-11", "2025-11-01/2025-11-28", "same_days"),
        ("this_quarter", "2025-Q4", "2025-10-01/2025-11-28", "same_days"),
        ("2026-10", "2026-09", "2026-09-01/2026-09-30", "whole"),
        ("2026-10", "2026-08", "2026-08-01/2026-08-31", "whole"),
        ("2026-10", "2026-Q2", "2026-04-01/2026-06-30", "per_day"),
        ("this_month", "2026-Q2", "2026-04-01/2026-06-30", "per_day"),
        ("2026-10-01/2026-10-10", "2026-09-01/2026-09-10", "2026-09-01/2026-09-10", "same_days"),
        ("2026-10-01/2026-10-10", "2026-09", "2026-09-01/2026-09-30", "per_day"),
        ("this_month", "2026-10-01/2026-10-05", "2026-10-01/2026-10-05", "per_day"),
    ],
)
def test_a_period_of_choice_is_cut_only_if_it_is_of_the_same_kind(
    after: str, before: str, compared: str, alignment: str
) -> None:
    assert align_periods("2026-11-28", after, before)[0::2] == (compared, alignment)


@given(today=DAYS, text=TEXTS)
def test_the_period_before_ends_first_and_begins_as_many_months(today: date, text: str) -> None:
    pair = align(parse_period(text, "after", today))
    assert pair.before.elapsed.last < pair.after.elapsed.first
    assert pair.after.elapsed == parse_period(text, "after", today).elapsed
    if pair.alignment == "same_days":
        assert pair.has_equal_days
    if pair.after.whole.whole_months:
        assert pair.is_by_calendar
        before, after = pair.before.elapsed.last, pair.after.elapsed.last
        ends_month = (before + timedelta(days=1)).day == 1
        assert before.day == after.day or ends_month
        months = [
            12 * period.last.year + period.last.month - 12 * period.first.year - period.first.month
            for period in (pair.before.elapsed, pair.after.elapsed)
        ]
        assert months[0] == months[1]
    else:
        assert pair.has_equal_days


@given(today=DAYS, text=TEXTS, other=TEXTS)
def test_alignment_says_whether_the_days_are_equal(today: date, text: str, other: str) -> None:
    pair = align(parse_period(text, "after", today), parse_period(other, "before", today))
    months = pair.before.elapsed.whole_months
    assert (pair.alignment == "whole") == (months != 0 and months == pair.after.elapsed.whole_months)
    assert (pair.alignment == "per_day") == (pair.alignment != "whole" and not pair.has_equal_days)
