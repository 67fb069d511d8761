"""Forecasts: the model on synthetic days, and the rows that reports show."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.api.costs.forecast import predict

from .test_queries import METRICS, SERVICES, TODAY, days, ledger, micro, records, result_of

FIRST = date(2026, 1, 5).toordinal()  # a Monday
DOLLAR = 1_000_000


@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(1, 40))
def test_constant_costs_stay_constant(dollars: int, history: int, ahead: int) -> None:
    history_costs = {FIRST + day: dollars * DOLLAR for day in range(history)}
    last = FIRST + history - 1
    assert predict(history_costs, FIRST, last, range(last + 1, last + 1 + ahead)) == [dollars * DOLLAR] * ahead


@given(st.lists(st.integers(1, 10**4), min_size=7, max_size=7), st.integers(1, 8))
def test_weekly_pattern_repeats(week: list[int], weeks: int) -> None:
    history_costs = {FIRST + day: week[day % 7] * DOLLAR for day in range(7 * weeks)}
    last = FIRST + 7 * weeks - 1
    predicted = predict(history_costs, FIRST, last, range(last + 1, last + 8))
    assert predicted == pytest.approx([dollars * DOLLAR for dollars in week], abs=10_000)


def test_growth_continues() -> None:
    history_costs = {FIRST + day: (1000 + 5 * day) * DOLLAR for day in range(140)}
    predicted = predict(history_costs, FIRST, FIRST + 139, range(FIRST + 140, FIRST + 168))
    assert predicted == pytest.approx([(1000 + 5 * day) * DOLLAR for day in range(140, 168)], rel=0.03)


def test_decline_stops_at_zero() -> None:
    history_costs = {FIRST + day: max(0, 100 - day) * DOLLAR for day in range(90)}
    assert min(predict(history_costs, FIRST, FIRST + 89, range(FIRST + 90, FIRST + 190))) == 0


def test_no_history_gives_no_forecast() -> None:
    assert predict({}, FIRST, FIRST + 9, range(FIRST + 10, FIRST + 12)) == [0, 0]


@pytest.mark.parametrize(
    ("config", "first", "count"),
    [
        ({"timeInterval": "month", "timeRange": {"mode": "last", "amount": 2, "unit": "month"}}, (2026, 11, 1), 3),
        ({"timeInterval": "month", "timeRange": {"mode": "current", "unit": "month"}}, (2026, 12, 1), 3),
        ({"timeInterval": "day"}, (2026, 11, 25), 30),
        ({"timeInterval": "isoweek", "timeRange": {"mode": "current", "unit": "month"}}, (2026, 11, 30), 8),
        ({"timeInterval": "quarter", "timeRange": {"mode": "last", "amount": 1, "unit": "quarter"}}, (2026, 10, 1), 2),
        ({"timeInterval": "year", "timeRange": {"mode": "current", "unit": "year"}}, (2027, 1, 1), 1),
        ({"timeInterval": "day", **days(date(2026, 11, 20), date(2030, 1, 1))}, (2026, 11, 25), 30),
    ],
)
def test_forecast_rows_follow_actual_rows(config: Any, first: tuple[int, int, int], count: int) -> None:
    result = result_of(**config, advancedAnalysis={"forecast": True})
    rows = records(result, "forecastRows")
    assert len(rows) == count and result["mlFeatures"] == ["forecast"]
    assert rows[0]["timestamp"] == (date(*first) - date(1970, 1, 1)).days * 86_400
    stamps = [row["timestamp"] for row in rows]
    assert stamps == sorted(set(stamps))
    result_rows = records(result)
    if date(*first).toordinal() > TODAY:
        assert result_rows[-1]["timestamp"] < stamps[0]
    average = micro(result_rows) / len(result_rows)
    assert all(0.3 * average < row["cost"] * 1e6 < 4 * average for row in rows)


def test_current_period_combines_actual_and_forecast() -> None:
    config = {"timeInterval": "month", "timeRange": {"mode": "last", "amount": 1, "unit": "month"}}
    month = records(result_of(**config, forecastSettings={"futureTimeIntervals": 1}), "forecastRows")
    coming = {"timeInterval": "day", "forecastSettings": {"futureTimeIntervals": 6}}
    rest = records(result_of(**coming), "forecastRows")
    assert [row["day"] for row in rest] == ["25", "26", "27", "28", "29", "30"]
    costs = ledger().cost(date(2026, 11, 1).toordinal(), TODAY)
    assert micro(month) == costs + micro(rest)


def test_groups_have_separate_forecasts() -> None:
    config = {"group": SERVICES, "timeInterval": "month", "metrics": METRICS}
    totals = records(result_of(**config, forecastSettings={}), "forecastRows")
    assert {row["service_id"] for row in totals} == {None} and len(totals) == 3
    limit = {"metric": METRICS[0], "sort": "desc", "value": 2}
    limited = result_of(**{**config, "group": [{**SERVICES[0], "limit": limit}]}, forecastSettings={"mode": "grouping"})
    groups = {row["service_id"] for row in records(limited, "forecastRows")}
    assert groups == {row["service_id"] for row in records(limited)} and len(groups) == 2
    every = records(result_of(**config, forecastSettings={"mode": "grouping"}), "forecastRows")
    assert micro(every) == pytest.approx(micro(totals), rel=0.05)
    assert micro(every, "usage") > 0 and micro(every, "savings") > 0


def test_history_and_forecast_can_be_selected() -> None:
    config: dict[str, Any] = {"timeInterval": "day"}
    calm = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-28T00:00:00Z"}
    until = {"from": "2026-11-25T00:00:00Z", "to": "2026-11-29T23:00:00Z"}
    settings = {"historicalCustomDateRange": calm, "futureCustomDateRange": until, "futureTimeIntervals": 50}
    rows = records(result_of(**config, forecastSettings=settings), "forecastRows")
    assert [row["day"] for row in rows] == ["25", "26", "27", "28", "29"]
    learnt_of_all = records(result_of(**config, forecastSettings={"historicalTimeIntervals": 300}), "forecastRows")
    learnt_of_week = records(result_of(**config, forecastSettings={"historicalTimeIntervals": 7}), "forecastRows")
    assert learnt_of_all[0]["cost"] != learnt_of_week[0]["cost"] != rows[0]["cost"]
