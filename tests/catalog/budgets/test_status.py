"""What the amounts of a budget mean today."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.budgets.budget_periods import current_period
from doit_mcp.catalog.budgets.status import find_status, needs_list_row, share_percent
from doit_mcp.catalog.periods.period import Period

TODAY = date(2026, 11, 28)
ROW: dict[str, Any] = {"id": "b", "timeInterval": "month", "startPeriod": "2026-01-01", "riskStatus": "unknown"}
DETAILS: dict[str, Any] = {"type": "recurring", "timeInterval": "month", "startPeriod": "2026-01-01", "currency": "EUR"}
NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30", "days": 30}


def show_status(row: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    return find_status({**ROW, **row}, {**DETAILS, **details}, TODAY).as_json


def test_an_exceeded_budget_says_since_when() -> None:
    found = show_status(
        {"riskStatus": "atRisk", "forecastedUtilizationDate": "2026-11-20"},
        {"amount": 3000.0, "currentUtilization": 3241.8, "forecastedUtilization": 3500.0},
    )
    assert found == {
        "percentUsed": 108.1,
        "forecastedUtilization": 3500.0,
        "status": "exceeded",
        "exceededOn": "2026-11-20",
        "breaksOn": None,
        "basis": "spent so far",
        "period": NOVEMBER,
    }


@pytest.mark.parametrize(
    ("row", "details", "status", "breaks", "basis"),
    [
        ({"riskStatus": "atRisk", "forecastedUtilizationDate": "2026-11-29"}, {}, "at_risk", "2026-11-29", "forecast"),
        ({"riskStatus": "atRisk"}, {}, "at_risk", None, "forecast"),
        # A day outside the period is about another one.
        ({"riskStatus": "atRisk", "forecastedUtilizationDate": "2026-12-02"}, {}, "at_risk", None, "forecast"),
        ({"riskStatus": "atRisk", "forecastedUtilizationDate": "2026-11-20"}, {}, "at_risk", None, "forecast"),
        ({}, {"forecastedUtilization": 3000.01}, "at_risk", None, "forecast"),
        (
            {},
            {
                "forecastedUtilization": 3100,
                "alerts": [{"percentage": 50.0}, {"percentage": 100.0, "forecastedDate": "2026-11-30"}],
            },
            "at_risk",
            "2026-11-30",
            "forecast",
        ),
        ({}, {"forecastedUtilization": 3000.0}, "on_track", None, "forecast"),
        ({"riskStatus": "onTrack"}, {"forecastedUtilization": None}, "on_track", None, "forecast"),
        # The risk in a list may lag behind the forecast.
        ({"riskStatus": "onTrack"}, {"forecastedUtilization": 3000.01}, "at_risk", None, "forecast"),
        (
            {"riskStatus": "onTrack"},
            {"forecastedUtilization": 3000.01, "growthPerPeriod": 10.0},
            "on_track",
            None,
            "forecast",
        ),
        ({}, {}, "unknown", None, "no forecast"),
        ({}, {"forecastedUtilization": float("nan")}, "unknown", None, "no forecast"),
    ],
)
def test_a_budget_that_is_not_exceeded(
    row: dict[str, Any], details: dict[str, Any], status: str, breaks: str | None, basis: str
) -> None:
    found = show_status(row, {"amount": 3000.0, "currentUtilization": 2700.0, **details})
    assert (found["status"], found["breaksOn"], found["exceededOn"]) == (status, breaks, None)
    # Without thresholds, nothing tells the limit of this period of a budget that grows.
    used = None if "growthPerPeriod" in details else 90.0
    assert basis in found["basis"] and found["percentUsed"] == used


@pytest.mark.parametrize(
    ("details", "percent", "status"),
    [
        ({"amount": 3000.0, "currentUtilization": 0}, 0.0, "unknown"),
        ({"amount": 0, "currentUtilization": 0.0}, None, "unknown"),
        ({"amount": 0, "currentUtilization": 5.0, "forecastedUtilization": 7.0}, None, "unknown"),
        ({"currentUtilization": 5.0, "forecastedUtilization": 7.0}, None, "unknown"),
        ({"amount": None, "currentUtilization": None}, None, "unknown"),
        ({"amount": "3000", "currentUtilization": True}, None, "unknown"),
        ({"amount": 3000.0}, None, "unknown"),
        # No budget can have used that much.
        ({"amount": 3000.0, "currentUtilization": 1e308}, None, "unknown"),
    ],
)
def test_missing_amounts_are_unknown_and_divide_nothing(
    details: dict[str, Any], percent: float | None, status: str
) -> None:
    found = show_status({}, details)
    assert (found["percentUsed"], found["status"]) == (percent, status)


def test_the_limit_of_a_growing_budget_is_that_of_its_thresholds() -> None:
    row = {"riskStatus": "onTrack", "alertThresholds": [{"percentage": 50, "amount": 605.0}, {"percentage": 0}]}
    details = {"amount": 1000.0, "growthPerPeriod": 10.0, "currentUtilization": 1100.0, "forecastedUtilization": 1200.0}
    found = find_status({**ROW, **row}, {**DETAILS, **details}, TODAY)
    assert found.limit == 1210.0 and found.status == "on_track" and found.percent_used == 90.9
    # A constant budget has its amount, though its thresholds are rounded.
    assert find_status({**ROW, **row}, {**DETAILS, "amount": 1000.0}, TODAY).limit == 1000.0


@pytest.mark.parametrize(
    ("details", "needed"),
    [
        ({"currentUtilization": 5.0, "forecastedUtilization": 9.0}, False),
        ({"currentUtilization": 5.0}, False),
        ({"currentUtilization": 11.0}, True),
        ({"currentUtilization": 5.0, "forecastedUtilization": 11.0}, True),
        (
            {
                "currentUtilization": 5.0,
                "forecastedUtilization": 11.0,
                "alerts": [{"percentage": 100, "forecastedDate": "2026-11-29"}],
            },
            False,
        ),
        ({"currentUtilization": 5.0, "forecastedUtilization": 9.0, "growthPerPeriod": 1}, True),
        ({"currentUtilization": 5.0, "forecastedUtilization": 9.0, "seasonalAmounts": [1, 2]}, True),
    ],
)
def test_details_alone_are_not_always_enough(details: dict[str, Any], needed: bool) -> None:
    assert needs_list_row({**DETAILS, "amount": 10.0, **details}, TODAY) == needed


@pytest.mark.parametrize(
    ("budget", "basis"),
    [
        ({"timeInterval": "month", "startPeriod": "2027-02-01"}, "the budget begins on 2027-02-01"),
        ({"type": "fixed", "startPeriod": "2027-02-03", "endPeriod": "2027-03-04"}, "the budget begins on 2027-02-03"),
        ({"type": "fixed", "startPeriod": "2026-02-03", "endPeriod": "2026-03-04"}, "the budget ended on 2026-03-04"),
        ({"timeInterval": "month", "startPeriod": "2026-02-01"}, "DoiT has no forecast"),
    ],
)
def test_the_basis_says_when_a_budget_begins_or_ended(budget: dict[str, Any], basis: str) -> None:
    amounts = {"amount": 10.0, "currency": "USD", "currentUtilization": 0.0}
    found = find_status({**amounts, **budget, "riskStatus": "unknown"}, {}, TODAY)
    assert (found.status, found.basis) == ("unknown", basis)


@pytest.mark.parametrize(
    ("interval", "start", "passed"),
    [
        ("day", "2026-11-26", 2),
        ("week", "2026-11-15", 1),
        ("month", "2025-12-09", 11),
        ("quarter", "2025-12-01", 4),
        ("year", "2025-06-01", 1),
    ],
)
def test_seasonal_limits_follow_the_periods_since_the_first(interval: str, start: str, passed: int) -> None:
    """They repeat, and count only if the amount of the current period is its limit."""
    amounts = [10.0, 20.0, 30.0]
    details = {**DETAILS, "timeInterval": interval, "startPeriod": start, "seasonalAmounts": amounts}
    found = {
        limit: find_status({**ROW, "alertThresholds": [{"percentage": 100, "amount": limit}]}, details, TODAY).limits(4)
        for limit in amounts
    }
    own = amounts[passed % 3]
    assert {limit for limit, limits in found.items() if limits is not None} == {own}
    assert found[own] == [amounts[(passed + index) % 3] for index in range(4)]


@pytest.mark.parametrize(
    ("budget", "first", "last"),
    [
        ({"timeInterval": "day"}, "2026-11-28", "2026-11-28"),
        ({"timeInterval": "week"}, "2026-11-22", "2026-11-28"),
        ({"timeInterval": "month"}, "2026-11-01", "2026-11-30"),
        ({"timeInterval": "quarter"}, "2026-10-01", "2026-12-31"),
        ({"timeInterval": "year"}, "2026-01-01", "2026-12-31"),
        ({"timeInterval": "month", "startPeriod": "2026-11-10"}, "2026-11-10", "2026-11-30"),
        ({"timeInterval": "month", "startPeriod": "2027-02-01"}, "2027-02-01", "2027-02-28"),
        ({"type": "fixed", "startPeriod": "2026-03-05", "endPeriod": "2026-12-04"}, "2026-03-05", "2026-12-04"),
        # Rows of a list have no type.
        ({"startPeriod": "2026-03-05", "endPeriod": "2026-12-04"}, "2026-03-05", "2026-12-04"),
        (
            {"type": "recurring", "timeInterval": "year", "startPeriod": "2020-01-01T06:00:00.000Z", "endPeriod": None},
            "2026-01-01",
            "2026-12-31",
        ),
    ],
)
def test_periods(budget: dict[str, Any], first: str, last: str) -> None:
    assert current_period(budget, TODAY) == Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"timeInterval": "decade"},
        {"type": "fixed", "startPeriod": "2026-03-05"},
        {"type": "fixed", "startPeriod": "2026-03-05", "endPeriod": "2026-03-04"},
        {"type": "fixed", "startPeriod": "soon", "endPeriod": 5},
    ],
)
def test_a_period_can_be_unknown(budget: dict[str, Any]) -> None:
    assert current_period(budget, TODAY) is None and find_status(budget, {}, TODAY).as_json["period"] is None


def test_a_budget_that_is_over_or_begins_later_has_no_forecast() -> None:
    ended = {"type": "fixed", "startPeriod": "2026-01-01", "endPeriod": "2026-06-30"}
    amounts = {"amount": 10.0, "currentUtilization": 9.0, "forecastedUtilization": 11.0}
    assert find_status({"riskStatus": "atRisk"}, {**ended, **amounts}, TODAY).status == "unknown"
    assert find_status({}, {**ended, **amounts, "currentUtilization": 11.0}, TODAY).status == "exceeded"
    later = {"timeInterval": "month", "startPeriod": "2027-01-01"}
    assert find_status({}, {**later, **amounts}, TODAY).status == "unknown"


NUMBERS = st.none() | st.floats() | st.integers(-(10**9), 10**9) | st.text(max_size=3)
DAYS = st.none() | st.dates(date(2026, 10, 1), date(2026, 12, 31)).map(date.isoformat) | st.text(max_size=12)


@given(
    row=st.fixed_dictionaries(
        {},
        optional={
            "riskStatus": st.sampled_from(["atRisk", "onTrack", "unknown", None]),
            "forecastedUtilizationDate": DAYS,
        },
    ),
    details=st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("amount", "currentUtilization", "forecastedUtilization"), NUMBERS),
            **dict.fromkeys(("startPeriod", "endPeriod"), DAYS),
            "timeInterval": st.sampled_from(["day", "week", "month", "quarter", "year", "", None]),
            "type": st.sampled_from(["fixed", "recurring"]),
        },
    ),
)
def test_days_fit_the_status_and_the_period(row: dict[str, Any], details: dict[str, Any]) -> None:
    found = find_status(row, details, TODAY)
    shown = found.as_json
    if shown["exceededOn"] is not None:
        assert shown["status"] == "exceeded" and shown["exceededOn"] <= TODAY.isoformat()
    if shown["breaksOn"] is not None:
        assert shown["status"] == "at_risk" and TODAY.isoformat() <= shown["breaksOn"] <= shown["period"]["to"]
    if found.status == "exceeded":
        assert found.spent is not None and found.limit is not None and found.spent > found.limit


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        *((1, 3, 33.3), (0, 5, 0.0), (5, 0, None), (None, 1, None)),
        # Halves of tenths, which a float is slightly below or above, or that round to even.
        *((0.25, 1000, 0.0), (0.5, 1000, 0.1), (1.005, 100, 1.0), (2.5, 1000, 0.3), (-2.5, 1000, -0.3)),
        *((1e18, 5e-324, None), (1.0, 1e18, 0.0)),
    ],
)
def test_shares(part: float | None, whole: float, share: float | None) -> None:
    assert share_percent(part, whole) == share


@pytest.mark.parametrize(("currency", "limit"), [("USD", 100.5), ("JPY", 101.0)])
def test_a_growing_limit_follows_its_thresholds_in_the_minor_unit(currency: str, limit: float) -> None:
    row = {"currency": currency, "alertThresholds": [{"percentage": 80.0, "amount": 80.4}]}
    assert find_status(row, {"growthPerPeriod": 5}, TODAY).limit == limit
