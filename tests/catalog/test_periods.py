"""Date ranges."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.periods import Period, month_of, parse_period, quarter_of, utc_date, with_period, year_of

DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))


def test_parses_months_and_days() -> None:
    assert parse_period("2024-02", "after") == Period(date(2024, 2, 1), date(2024, 2, 29))
    assert parse_period("2026-08-01/2026-08-15", "after").days == 15


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026", "2026-08-01", "2026-08-15/2026-08-01", "1900-01-01/2026-01-01", "x", "2026-02-30/2026-03-01"],
)
def test_invalid_period_is_rejected_by_name(text: str) -> None:
    with pytest.raises(ApiError, match="before: ") as caught:
        parse_period(text, "before")
    assert caught.value.kind == "argument"


@given(day=DAYS)
def test_calendar_periods_contain_their_day_and_adjoin_the_previous_one(day: date) -> None:
    for period in (month_of(day), quarter_of(day), year_of(day)):
        assert period.first <= day <= period.last
        before = period.previous()
        assert before.last + timedelta(days=1) == period.first
    assert month_of(day).previous() == month_of(month_of(day).first - timedelta(days=1))
    assert quarter_of(day).previous() == quarter_of(quarter_of(day).first - timedelta(days=1))
    assert 28 <= month_of(day).days <= 31 and 90 <= quarter_of(day).days <= 92


@given(first=DAYS, length=st.integers(1, 1000))
def test_previous_period_ends_where_the_period_starts(first: date, length: int) -> None:
    period = Period(first, first + timedelta(days=length - 1))
    before = period.previous()
    assert before.last + timedelta(days=1) == first
    if period != Period(first.replace(day=1), month_of(period.last).last):
        assert before.days == period.days


def test_queries_cover_full_days() -> None:
    config = with_period({"timeInterval": "day"}, parse_period("2026-08", "after"))
    assert config == {
        "timeInterval": "day",
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-08-01T00:00:00Z", "to": "2026-08-31T23:59:59Z"},
    }
    assert utc_date(1_790_000_000.0) == date(2026, 9, 21)
