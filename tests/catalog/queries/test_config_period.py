"""The period of a query's config, at the edges of months and years, and the periods that it cuts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.periods.period import Period, ReportedPeriod
from doit_mcp.catalog.queries.config_period import (
    calendar_period,
    config_period,
    parse_duration,
    partial_periods,
    row_interval,
    with_exact_period,
)

TODAY = date(2026, 11, 28)
DAYS = st.dates(date(2070, 1, 1), date(2170, 12, 31))
"""Late enough for periods of 60 years before them."""


def relative(mode: str, unit: str, amount: int | None = None, current: bool = False) -> dict[str, Any]:
    return {"timeRange": {"mode": mode, "unit": unit, "amount": amount, "includeCurrent": current}}


def custom(first: str, last: str) -> dict[str, Any]:
    return {"timeRange": {"mode": "custom"}, "customTimeRange": {"from": first, "to": last}}


def state_period(config: dict[str, Any], today: date = TODAY) -> tuple[str, str, bool]:
    period = config_period(config, today).as_json
    return period["from"], period["to"], period["complete"]


@pytest.mark.parametrize(
    ("config", "first", "last", "complete"),
    [
        (relative("current", "month"), "2026-11-01", "2026-11-28", False),
        (relative("current", "quarter"), "2026-10-01", "2026-11-28", False),
        (relative("current", "year"), "2026-01-01", "2026-11-28", False),
        (relative("current", "day"), "2026-11-28", "2026-11-28", False),
        # 28 November is a Saturday; weeks begin on Sunday.
        (relative("current", "week"), "2026-11-22", "2026-11-28", False),
        (relative("last", "week", 2), "2026-11-08", "2026-11-21", True),
        (relative("last", "month", 1), "2026-10-01", "2026-10-31", True),
        (relative("last", "month", 3), "2026-08-01", "2026-10-31", True),
        (relative("last", "month", 3, True), "2026-09-01", "2026-11-28", False),
        (relative("last", "quarter", 1), "2026-07-01", "2026-09-30", True),
        (relative("last", "year", 1), "2025-01-01", "2025-12-31", True),
        (relative("last", "day", 2), "2026-11-26", "2026-11-27", False),
        (relative("last", "day", 2, True), "2026-11-27", "2026-11-28", False),
        ({}, "2026-11-22", "2026-11-28", False),
        (custom("2026-10-01", "2026-10-31"), "2026-10-01", "2026-10-31", True),
        (custom("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"), "2026-10-01", "2026-10-31", True),
        (custom("2026-10-01T00:00:00Z", "2026-10-31T23:59:59Z"), "2026-10-01", "2026-10-31", True),
        (custom("2026-10-01T00:00:00-07:00", "2026-11-01T00:00:00.000-07:00"), "2026-10-01", "2026-10-31", True),
        (custom("2026-10-05T00:00:00Z", "2026-10-05T00:00:00Z"), "2026-10-05", "2026-10-05", True),
        (custom("2026-08", "2026-Q3"), "2026-08-01", "2026-09-30", True),
        (custom("2026-11-01", "2026-12-31"), "2026-11-01", "2026-11-28", False),
        (custom("2021-01-01", "2026-10-31"), "2021-01-01", "2026-10-31", True),
        ({"timeRange": "last month"}, "2026-10-01", "2026-10-31", True),
        ({"timeRange": "2026-Q3"}, "2026-07-01", "2026-09-30", True),
        ({"timeRange": "MTD"}, "2026-11-01", "2026-11-28", False),
    ],
    ids=str,
)
def test_periods_of_configs(config: dict[str, Any], first: str, last: str, complete: bool) -> None:
    assert state_period(config) == (first, last, complete)


@pytest.mark.parametrize(
    ("today", "config", "first", "last"),
    [
        (date(2026, 12, 1), relative("current", "month"), "2026-12-01", "2026-12-01"),
        (date(2026, 12, 1), relative("last", "month", 1), "2026-11-01", "2026-11-30"),
        (date(2027, 1, 1), relative("last", "month", 1), "2026-12-01", "2026-12-31"),
        (date(2027, 1, 1), relative("last", "quarter", 1, True), "2027-01-01", "2027-01-01"),
        (date(2028, 2, 29), relative("current", "month"), "2028-02-01", "2028-02-29"),
        (date(2028, 3, 1), relative("last", "month", 1), "2028-02-01", "2028-02-29"),
        (date(2028, 2, 29), relative("last", "year", 1), "2027-01-01", "2027-12-31"),
    ],
)
def test_periods_at_the_edges_of_the_calendar(today: date, config: dict[str, Any], first: str, last: str) -> None:
    assert state_period(config, today)[:2] == (first, last)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"timeRange": "soon"}, "query.timeRange: .*last_month"),
        ({"timeRange": "2027"}, "forecast_spend"),
        (custom("2027-01-01", "2027-01-31"), "query.customTimeRange: .*forecast_spend"),
        (custom("yesterdayish", "2026-10-31"), "query.customTimeRange.from: .*2026-10-05"),
        (custom("2026-10-31", "2026-10-01"), "query.customTimeRange.to: must not be before from"),
        ({"timeRange": {"mode": "custom"}}, "query.customTimeRange: from and to are required, such as"),
        (relative("last", "month"), "query.timeRange.amount: is required"),
        ({"timeRange": {"mode": "current"}}, "query.timeRange.unit: is required"),
        (relative("last", "year", 5000), "reaches back before 2000-01-01"),
        (relative("last", "year", 27), "reaches back before 2000-01-01"),
    ],
    ids=str,
)
def test_errors_name_the_accepted_forms(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        config_period(config, TODAY)
    assert caught.value.kind == "argument" and "\\d" not in caught.value.reason


@given(
    today=DAYS,
    unit=st.sampled_from(["day", "week", "month", "quarter", "year"]),
    amount=st.integers(1, 60),
    current=st.booleans(),
)
def test_last_periods_end_where_the_current_one_begins_or_today(
    today: date, unit: str, amount: int, current: bool
) -> None:
    period = config_period(relative("last", unit, amount, current), today)
    running = calendar_period(unit, today)
    assert period.complete is not current
    assert period.elapsed.last == (today if current else running.first - timedelta(days=1))
    # As many units as asked for: stepping through them from the first day ends where the period ends.
    day = period.whole.first
    for _ in range(amount):
        step = calendar_period(unit, day)
        assert step.first == day
        day = step.last + timedelta(days=1)
    assert day == period.whole.last + timedelta(days=1)


@given(today=DAYS, days=st.integers(0, 700), length=st.integers(0, 700))
def test_custom_days_are_queried_exactly_and_never_beyond_today(today: date, days: int, length: int) -> None:
    first = today - timedelta(days=days)
    last = first + timedelta(days=length)
    config = custom(first.isoformat(), last.isoformat())
    period = config_period(config, today)
    exact = with_exact_period(config, period, today)
    end = min(last, today).isoformat()
    assert exact["timeRange"] == {"mode": "custom"}
    assert exact["customTimeRange"] == {"from": f"{first.isoformat()}T00:00:00Z", "to": f"{end}T23:59:59Z"}


def test_relative_ranges_are_unchanged_and_the_default_is_sent() -> None:
    config = relative("last", "month", 3)
    assert with_exact_period(config, config_period(config, TODAY), TODAY) == config
    sent = with_exact_period({}, config_period({}, TODAY), TODAY)["timeRange"]
    assert sent == {"mode": "last", "amount": 7, "unit": "day", "includeCurrent": True}


def test_a_custom_secondary_range_is_whole_days() -> None:
    config = {
        "timeRange": "last_month",
        "secondaryTimeRange": {"customTimeRange": {"from": "2026-08", "to": "2026-08"}},
    }
    sent = with_exact_period(config, config_period(config, TODAY), TODAY)
    assert sent["secondaryTimeRange"] == {
        "customTimeRange": {"from": "2026-08-01T00:00:00Z", "to": "2026-08-31T23:59:59Z"}
    }


@pytest.mark.parametrize(
    ("today", "text", "first"),
    [
        (TODAY, "P30D", "2026-10-30"),
        (TODAY, "P1M", "2026-10-29"),
        (TODAY, "p1y", "2025-11-29"),
        (TODAY, "P1Y2M3D", "2025-09-26"),
        (TODAY, "P1D", "2026-11-28"),
        (date(2026, 3, 31), "P1M", "2026-03-01"),
        (date(2028, 2, 29), "P1Y", "2027-03-01"),
    ],
)
def test_durations_end_today(today: date, text: str, first: str) -> None:
    period = parse_duration(text, "timeRange", today)
    assert period is not None and period.as_json["from"] == first and period.elapsed.last == today


@pytest.mark.parametrize("text", ["P", "P0D", "P9999Y"])
def test_durations_without_days_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match="timeRange: .* is not a duration such as P30D, P6M or P1Y"):
        parse_duration(text, "timeRange", TODAY)


def test_other_texts_are_not_durations() -> None:
    assert [parse_duration(text, "", TODAY) for text in ("last_month", "P1W", "1D", "2026")] == [None] * 4


def cut(first: str, last: str, interval: str) -> list[tuple[str, int, int]]:
    period = ReportedPeriod(Period(date.fromisoformat(first), date.fromisoformat(last)), TODAY)
    return [(part["period"], part["days"], part["of"]) for part in partial_periods(period, interval)]


def test_cut_periods_are_marked() -> None:
    assert cut("2026-10-29", "2026-11-30", "month") == [("2026-10", 3, 31), ("2026-11", 28, 30)]
    assert cut("2026-09-01", "2026-10-31", "month") == []
    assert cut("2026-10-05", "2026-10-20", "month") == [("2026-10", 16, 31)]
    assert cut("2026-08-01", "2026-09-30", "quarter") == [("2026-Q3", 61, 92)]
    assert cut("2026-08-01", "2026-09-30", "year") == [("2026", 61, 365)]
    assert cut("2026-11-03", "2026-11-14", "week") == [("2026-11-01/2026-11-07", 5, 7)]
    assert cut("2026-11-02", "2026-11-10", "isoweek") == [("2026-11-09/2026-11-15", 2, 7)]
    assert cut("2026-11-03", "2026-11-14", "day") == []


@given(first=DAYS, days=st.integers(1, 900), interval=st.sampled_from(["isoweek", "week", "month", "quarter", "year"]))
def test_whole_and_partial_periods_together_have_all_days(first: date, days: int, interval: str) -> None:
    period = ReportedPeriod(Period(first, first + timedelta(days=days - 1)), date(2200, 1, 1))
    partial = {part["from"]: part["days"] for part in partial_periods(period, interval)}
    day, total = first, 0
    while day <= period.whole.last:
        whole = calendar_period(interval, day)
        total += partial.get(day.isoformat(), whole.days)
        day = whole.last + timedelta(days=1)
    assert total == days


def test_the_interval_of_rows_is_the_shortest_time_dimension() -> None:
    months = [{"id": "year", "type": "datetime"}, {"id": "month", "type": "datetime"}]
    assert row_interval({"dimensions": months}) == "month"
    assert row_interval({"dimensions": months, "timeInterval": "quarter"}) == "quarter"
    assert row_interval({"group": [{"id": "month", "type": "label"}]}) is None
