"""Suggestions for texts that are not periods."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.periods.grammar import MAX_LAST_DAYS, MAX_LAST_MONTHS, parse_period
from doit_mcp.catalog.periods.period import month_of
from doit_mcp.catalog.periods.suggestions import suggest_period

TODAY = date(2026, 11, 28)


def suggestion(text: str, today: date = TODAY) -> str | None:
    return suggest_period(text, today, MAX_LAST_DAYS, MAX_LAST_MONTHS)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("October 2026", "2026-10"),
        ("oct 2026", "2026-10"),
        ("Sept. 2026", "2026-09"),
        ("2026 May", "2026-05"),
        ("10/2026", "2026-10"),
        ("2026/1", "2026-01"),
        ("2026-1", "2026-01"),
        ("november", "2026-11"),
        # The latest December that has begun.
        ("december", "2025-12"),
        ("Q3 2026", "2026-Q3"),
        ("3Q 2026", "2026-Q3"),
        ("quarter 3 of 2026", "2026-Q3"),
        ("Q4", "2026-Q4"),
        ("5 October 2026", "2026-10-05"),
        ("October 5th, 2026", "2026-10-05"),
        ("20261005", "2026-10-05"),
        ("1790000000", "2026-09-21"),
        ("1790000000000", "2026-09-21"),
        ("last_500_days", "2025-07-16/2026-11-27"),
        ("last_5000_days", "last_400_days"),
        ("last_40_months", "last_36_months"),
        ("past 30 days", "last_30_days"),
        ("previous month", "last_month"),
        ("last week", "last_7_days"),
        ("previous_week", "last_7_days"),
        ("last 2 weeks", "last_14_days"),
        ("last 99 weeks", "last_400_days"),
        ("this week", "2026-11-23/2026-11-28"),
        ("2026-W47", "2026-11-16/2026-11-22"),
        ("2026-10-01 to 2026-10-15", "2026-10-01/2026-10-15"),
        ("from 2026-10-01 through 2026-10-15", "2026-10-01/2026-10-15"),
        ("current quarter", "this_quarter"),
    ],
)
def test_the_error_suggests_a_period_that_parses(text: str, meant: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_period(text, "period", TODAY)
    assert f"Did you mean {meant}?" in caught.value.reason
    assert parse_period(meant, "period", TODAY).whole.first <= TODAY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13",
        "13/2026",
        "31 February 2026",
        "last_0_days",
        "last 0 weeks",
        "2026-W60",
        "2026-10-15 to 2026-10-01",
        "2026 2025",
        "²",
    ],
)
def test_nothing_is_suggested_for_a_text_without_a_likely_meaning(text: str) -> None:
    assert suggestion(text) is None


def test_the_error_names_the_bounds_of_counted_periods() -> None:
    with pytest.raises(ApiError, match=r"last_7_days \(1 to 400\).*last_3_months \(1 to 36\)"):
        parse_period("last_9999999_days", "period", TODAY)


@given(st.dates(date(2001, 1, 1), date(2060, 12, 31)), st.sampled_from(["%B %Y", "%b %Y", "%m/%Y", "%d %B %Y"]))
def test_written_dates_suggest_their_month_or_day(day: date, form: str) -> None:
    meant = suggestion(day.strftime(form))
    assert meant is not None
    days = parse_period(meant, "period", date(2061, 1, 1)).whole
    assert (days.first, days.last) == ((day, day) if "%d" in form else (month_of(day).first, month_of(day).last))


@given(
    st.text("0123456789 /-qQmonthlasdyr_", max_size=30)
    | st.from_regex(r"(last|past) [0-9]{1,6} (days|months)", fullmatch=True),
    st.dates(date(1990, 1, 1), date(2100, 1, 1)),
)
@example("last_1000_day", date(2000, 1, 1))
@example("October 1999", date(2026, 11, 28))
def test_whatever_is_suggested_parses(text: str, today: date) -> None:
    if (meant := suggestion(text, today)) is not None:
        # A suggestion can be in the future, which has its own error.
        assert parse_period(meant, "period", date.max)
