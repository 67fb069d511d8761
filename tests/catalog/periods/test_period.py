"""Date ranges."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.periods.period import (
    Period,
    ReportedPeriod,
    month_of,
    quarter_of,
    utc_date,
    with_period,
    year_of,
)

DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))


@given(day=DAYS)
def test_calendar_periods_contain_their_day_and_adjoin_the_previous_one(day: date) -> None:
    for period in (month_of(day), quarter_of(day), year_of(day)):
        assert period.first <= day <= period.last
        before = period.previous_period()
        assert before.last + timedelta(days=1) == period.first
    assert month_of(day).previous_period() == month_of(month_of(day).first - timedelta(days=1))
    assert quarter_of(day).previous_period() == quarter_of(quarter_of(day).first - timedelta(days=1))
    assert 28 <= month_of(day).days <= 31 and 90 <= quarter_of(day).days <= 92


@given(first=DAYS, length=st.integers(1, 1000))
def test_previous_period_ends_where_the_period_starts(first: date, length: int) -> None:
    period = Period(first, first + timedelta(days=length - 1))
    before = period.previous_period()
    assert before.last + timedelta(days=1) == first
    if period != Period(first.replace(day=1), month_of(period.last).last):
        assert before.days == period.days


def test_queries_cover_full_days() -> None:
    config = with_period({"timeInterval": "day"}, month_of(date(2026, 8, 1)))
    assert config == {
        "timeInterval": "day",
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-08-01T00:00:00Z", "to": "2026-08-31T23:59:59Z"},
    }
    assert utc_date(1_790_000_000.0) == date(2026, 9, 21)


@pytest.mark.parametrize(
    ("first", "last", "today", "stated"),
    [
        # The month as it runs, at its first day, and when it is over.
        ("2026-11-01", "2026-11-30", "2026-11-28", ("2026-11-28", 28, False, "2026-11-25")),
        ("2026-12-01", "2026-12-31", "2026-12-01", ("2026-12-01", 1, False, None)),
        ("2026-12-01", "2026-12-31", "2026-12-04", ("2026-12-04", 4, False, "2026-12-01")),
        ("2026-11-01", "2026-11-30", "2026-11-30", ("2026-11-30", 30, False, "2026-11-27")),
        ("2026-11-01", "2026-11-30", "2026-12-01", ("2026-11-30", 30, False, "2026-11-28")),
        ("2026-12-01", "2026-12-31", "2027-01-01", ("2026-12-31", 31, False, "2026-12-29")),
        ("2028-02-01", "2028-02-29", "2028-02-29", ("2028-02-29", 29, False, "2028-02-26")),
        ("2026-10-01", "2026-10-31", "2026-11-28", ("2026-10-31", 31, True, "2026-10-31")),
    ],
)
def test_a_period_is_stated_up_to_today(
    first: str, last: str, today: str, stated: tuple[str, int, bool, str | None]
) -> None:
    period = ReportedPeriod(Period(date.fromisoformat(first), date.fromisoformat(last)), date.fromisoformat(today))
    assert period.as_json == {"from": first, **dict(zip(("to", "days", "complete", "finalThrough"), stated))}


@given(first=DAYS, length=st.integers(1, 1000), ahead=st.integers(0, 1000))
def test_final_days_are_elapsed_days(first: date, length: int, ahead: int) -> None:
    today = first + timedelta(days=ahead)
    period = ReportedPeriod(Period(first, first + timedelta(days=length - 1)), today)
    assert period.elapsed.first == first and period.elapsed.last <= today
    assert period.days == min(length, ahead + 1)
    final = period.final_through
    assert final is None or first <= final <= period.elapsed.last
    assert (final is None) == (ahead < 3)
    assert period.whole.first_days(period.days) == period.elapsed
