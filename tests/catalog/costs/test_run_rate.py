"""Projections and exceeded budgets, computed from daily costs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.costs.forecast import cost_by_day, find_breaches
from doit_mcp.catalog.costs.run_rate import first_unknown_day, period_cost, predict_breach, project_cost, run_rate
from doit_mcp.catalog.periods import Period, month_of

TODAY = date(2026, 9, 21)
MONTH = month_of(TODAY)


def days(first: date, last: date, amount: float) -> dict[date, float]:
    return {first + timedelta(days=n): amount for n in range((last - first).days + 1)}


def test_without_a_forecast_the_pace_goes_on() -> None:
    actual = days(date(2026, 8, 1), date(2026, 9, 20), 10.0)
    daily = run_rate(actual, TODAY)
    found = project_cost(MONTH, actual, {}, daily, TODAY)
    assert daily == 10.0 and found.spent == 200.0 and found.remaining == 100.0
    assert found.as_json(310.0)["expected"] == 300.0 and found.as_json(310.0)["changePercent"] == -3.2


def test_the_forecast_goes_before_the_pace_and_todays_rest_counts() -> None:
    actual = days(date(2026, 9, 1), TODAY, 10.0) | {TODAY: 4.0}
    forecast = days(TODAY, MONTH.last, 7.0)
    found = project_cost(MONTH, actual, forecast, run_rate(actual, TODAY), TODAY)
    assert found.spent == 204.0 and found.remaining == 3.0 + 9 * 7.0


def test_days_that_the_bill_does_not_know_yet_are_reckoned_and_no_zeros() -> None:
    actual = days(date(2026, 8, 1), date(2026, 9, 18), 10.0)
    assert first_unknown_day(actual, TODAY) == date(2026, 9, 19) and run_rate(actual, TODAY) == 10.0
    found = project_cost(MONTH, actual, {}, 10.0, TODAY)
    assert found.spent + found.remaining == 300.0
    # A longer gap without costs is not a delay of the billing data.
    assert first_unknown_day(days(date(2026, 8, 1), date(2026, 9, 1), 10.0), TODAY) == date(2026, 9, 18)


def test_nothing_known_is_nothing_expected() -> None:
    assert run_rate({}, TODAY) == 0.0 and run_rate({TODAY: 5.0}, TODAY) == 0.0
    found = project_cost(MONTH, {}, {}, 0.0, TODAY).as_json(None)
    assert (found["spent"], found["expected"], found["changePercent"]) == (0.0, 0.0, None)
    assert period_cost(MONTH, {}) is None and period_cost(MONTH, {TODAY: 0.0}) == 0.0


AMOUNTS = st.dictionaries(st.dates(date(2026, 6, 1), date(2026, 10, 31)), st.floats(-1e6, 1e6), max_size=60)


@given(actual=AMOUNTS, forecast=AMOUNTS, today=st.dates(date(2026, 7, 1), date(2026, 9, 30)))
def test_spent_and_ahead_are_what_is_expected(
    actual: dict[date, float], forecast: dict[date, float], today: date
) -> None:
    found = project_cost(MONTH, actual, forecast, run_rate(actual, today), today).as_json(None)
    assert abs(found["spent"] + found["ahead"] - found["expected"]) < 0.005
    past = project_cost(Period(date(2026, 6, 1), date(2026, 6, 5)), actual, forecast, 1.0, today)
    known = [amount for day, amount in actual.items() if day <= date(2026, 6, 5)]
    assert abs(past.spent - sum(known)) < 0.01 and past.remaining == 0.0


BUDGET: dict[str, Any] = {
    **{"id": "b", "budgetName": "All", "amount": 3000.0, "currency": "EUR", "timeInterval": "month"},
    **{"currentUtilization": 2100.0, "riskStatus": "unknown"},
}


@pytest.mark.parametrize(
    ("changes", "announced", "status", "breaks", "basis"),
    [
        ({"currentUtilization": 3000.01}, "", "exceeded", None, "spent so far"),
        ({}, "2026-09-28", "will break", "2026-09-28", "DoiT's forecast"),
        ({"currentUtilization": 2500.0}, "", "will break", "2026-09-26", "pace so far"),
        ({"currentUtilization": 2500.0}, "2026-08-01", "will break", "2026-09-26", "pace so far"),
    ],
)
def test_budgets_that_break(
    changes: dict[str, Any], announced: str, status: str, breaks: str | None, basis: str
) -> None:
    found = predict_breach(BUDGET | changes, TODAY, announced)
    assert found is not None and (found["status"], found["breaksOn"], found["basis"]) == (status, breaks, basis)
    assert found["currency"] == "EUR" and found["amount"] == 3000.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"currentUtilization": 2500.0, "riskStatus": "onTrack"},
        {"currentUtilization": 2500.0, "timeInterval": "day"},
        {"amount": 0, "currentUtilization": 5},
        {"amount": None},
        {"currentUtilization": 0.0},
    ],
)
def test_budgets_that_hold(changes: dict[str, Any]) -> None:
    assert predict_breach(BUDGET | changes, TODAY, "") is None


@given(
    limit=st.floats(0.01, 1e9),
    spent=st.floats(0, 1e9),
    today=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    interval=st.sampled_from(["month", "quarter", "year"]),
)
def test_a_budget_breaks_within_its_period(limit: float, spent: float, today: date, interval: str) -> None:
    budget = {**BUDGET, "amount": limit, "currentUtilization": spent, "timeInterval": interval}
    found = predict_breach(budget, today, "")
    if found is not None and found["status"] == "will break":
        assert today.isoformat() <= found["breaksOn"] <= f"{today.year}-12-31"


def test_exceeded_budgets_come_first_then_the_day_they_break() -> None:
    rows = [
        BUDGET | {"id": "late", "forecastedUtilizationDate": 1_790_500_000_000},
        BUDGET | {"id": "soon", "forecastedUtilizationDate": 1_790_100_000_000},
        BUDGET | {"id": "over", "currentUtilization": 4000},
        BUDGET | {"id": "far over", "currentUtilization": 9000},
        BUDGET | {"id": "fine"},
    ]
    assert [one["id"] for one in find_breaches(rows, TODAY)] == ["far over", "over", "soon", "late"]


def test_days_are_read_in_every_form() -> None:
    columns = [{"name": name} for name in ("year", "month", "day", "cost")]
    rows = [["2026", "09", "1", 1.0], ["2026", "2026-09", "2026-09-01", 2.0], ["2026", "x", "1", 9.0], [2026, 9, 2, 5]]
    answer = {"columns": columns, "rows": rows, "forecastRows": None}
    assert cost_by_day(answer, "rows") == {date(2026, 9, 1): 3.0, date(2026, 9, 2): 5.0}
    assert cost_by_day(answer, "forecastRows") == {} == cost_by_day({"columns": columns[1:], "rows": []}, "rows")
