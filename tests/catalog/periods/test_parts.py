"""Days, weeks and months of a period."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.periods.parts import Interval, part_label, split_period
from doit_mcp.catalog.periods.period import Period

DAYS = st.dates(date(2020, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("day", "interval", "label"),
    [
        ("2026-11-05", "day", "2026-11-05"),
        ("2026-11-05", "week", "2026-W45"),
        ("2026-11-05", "month", "2026-11"),
        # The first days of a year can belong to the last week of the year before, and the other way round.
        ("2027-01-01", "week", "2026-W53"),
        ("2024-12-30", "week", "2025-W01"),
    ],
)
def test_parts_have_names(day: str, interval: Interval, label: str) -> None:
    assert part_label(date.fromisoformat(day), interval) == label


@given(first=DAYS, length=st.integers(1, 400), interval=st.sampled_from(["day", "week", "month"]))
def test_parts_cover_each_day_once(first: date, length: int, interval: Interval) -> None:
    period = Period(first, first + timedelta(days=length - 1))
    parts = list(split_period(period, interval))
    assert sum(part.covered.days for part in parts) == period.days
    assert parts[0].covered.first == period.first and parts[-1].covered.last == period.last
    for part, following in zip(parts, parts[1:]):
        assert part.covered.last + timedelta(days=1) == following.covered.first
        assert part.label < following.label
    assert not any(part.is_partial for part in parts[1:-1])
    for part in parts:
        assert part.whole.first <= part.covered.first and part.covered.last <= part.whole.last
        assert part.label == part_label(part.covered.first, interval) == part_label(part.covered.last, interval)
        assert part.is_partial == (part.covered.days < part.whole.days)
