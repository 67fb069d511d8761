"""Sets of days as spans, compared with sets of single days."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.queries import grouping
from doit_mcp.catalog.queries.day_spans import WEEKDAYS, DaySpans
from doit_mcp.catalog.queries.grouping import CoveredDays, with_costs_per_day
from doit_mcp.catalog.tools.result_handles import ResultTable

SPANS = st.builds(
    lambda first, length: range(first, first + length), st.integers(1, date.max.toordinal() - 60), st.integers(0, 60)
)
NEAR_SPANS = st.builds(lambda first, length: range(first, first + length), st.integers(1, 90), st.integers(0, 20))


@given(spans=st.lists(SPANS | NEAR_SPANS, max_size=12), asked=SPANS | NEAR_SPANS)
def test_spans_count_like_single_days(spans: list[range], asked: range) -> None:
    days = {day for span in spans for day in span}
    own = DaySpans(spans)
    assert own.count == len(days)
    assert own.count_in(asked) == len(days & set(asked))
    assert all(own.count_in(span) == len(span) for span in spans)
    weekdays = Counter(WEEKDAYS[date.fromordinal(day).weekday()] for day in days)
    assert own.count_weekdays() == {name: weekdays[name] for name in WEEKDAYS}


def test_all_days_of_the_calendar_are_counted_by_arithmetic() -> None:
    every = range(1, date.max.toordinal() + 1)
    own = DaySpans([every])
    assert own.count == own.count_in(every) == sum(own.count_weekdays().values()) == len(every)
    assert set(own.count_weekdays().values()) == {len(every) // 7, len(every) // 7 + 1}


def test_each_period_is_read_once_for_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [
        {"name": "sku", "type": "string"},
        {"name": "month", "type": "string"},
        {"name": "cost", "type": "float"},
    ]
    rows = [[f"s{n}", f"2026-{n % 3 + 7:02}", 31.0] for n in range(3000)]
    source = ResultTable(columns, rows, {"period": {"from": "2026-07-01", "to": "2026-09-30"}})
    read: list[str] = []
    days_of = grouping._parse_day_range
    monkeypatch.setattr(grouping, "_parse_day_range", lambda text: (read.append(text), days_of(text))[1])
    answer = with_costs_per_day(source, ["sku", "month"], ["cost"], CoveredDays(source, []))
    assert sorted(read) == ["2026-07", "2026-08", "2026-09"]
    assert [row[2] for row in answer.rows[:3]] == [1.0, 1.0, pytest.approx(31 / 30)]
