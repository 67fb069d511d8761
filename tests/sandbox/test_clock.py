"""The sandbox's clock: a chosen day, from noon on, at the real pace."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.clock import EARLIEST_DAY, LATEST_DAY, clock_from, parse_today

from .conftest import Clock


@given(st.dates(EARLIEST_DAY, LATEST_DAY), st.integers(0, 43_199))
def test_clock_stays_on_its_day_for_twelve_hours(day: date, seconds: int) -> None:
    real = Clock()
    clock = clock_from(day, real)
    assert datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%d %H:%M") == f"{day} 12:00"
    real.advance(seconds)
    assert datetime.fromtimestamp(clock(), UTC).date() == day
    real.advance(86_400)
    assert datetime.fromtimestamp(clock(), UTC).date() == day + timedelta(days=1)


@given(st.dates(EARLIEST_DAY, LATEST_DAY))
def test_dates_are_read_as_they_are_written(day: date) -> None:
    assert parse_today(str(day)) == day


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-02-29", "2026-13-01", "1999-12-31", "2100-01-01", "28.11.2026"])
def test_other_dates_are_rejected(text: str) -> None:
    with pytest.raises(ValueError):
        parse_today(text)
