"""Budgets and forecasts in the sandbox, whose amounts are added up here from the billing lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from doit_mcp.api.errors import ApiError

from ..conftest import Ask

TODAY = date(2026, 9, 21)
"""The day of the sandbox's clock."""


async def daily_costs(ask: Ask, first: date, last: date, **config: Any) -> dict[date, Decimal]:
    """Return the cost of each day from a plain query, in US dollars."""
    answer = await ask(
        "run_query",
        config={
            "metrics": [{"type": "basic", "value": "cost"}],
            "timeRange": {"mode": "custom"},
            "customTimeRange": {"from": f"{first}T00:00:00Z", "to": f"{last}T23:59:59Z"},
            "timeInterval": "day",
            "currency": "USD",
            **config,
        },
    )
    costs: dict[date, Decimal] = {}
    for day, cost in answer["rows"]:
        when = date.fromisoformat(day)
        costs[when] = costs.get(when, Decimal(0)) + Decimal(repr(cost))
    return costs


async def test_what_is_spent_is_the_sum_of_the_days(ask: Ask) -> None:
    found = await ask("forecast_spend", currency="USD")
    for name, first in (("month", date(2026, 9, 1)), ("quarter", date(2026, 7, 1))):
        part = found[name]
        days = await daily_costs(ask, first, TODAY)
        assert part["spent"] == pytest.approx(float(sum(days.values())), abs=0.01) and part["spent"] > 1000
        assert round(part["spent"] + part["ahead"], 2) == part["expected"]
        assert part["spent"] <= part["low"] < part["expected"] < part["high"]
        assert part["finalThrough"] == "2026-09-18" and part["complete"] is False
    august = await daily_costs(ask, date(2026, 8, 1), date(2026, 8, 31))
    assert found["month"]["before"] == pytest.approx(float(sum(august.values())), abs=0.01)
    assert found["currency"] == "USD" and found["period"]["to"] == TODAY.isoformat()


async def test_the_expected_cost_is_near_the_pace_of_the_last_weeks(ask: Ask) -> None:
    month = (await ask("forecast_spend"))["month"]
    recent = await daily_costs(ask, TODAY - timedelta(days=31), TODAY - timedelta(days=4))
    pace = float(sum(recent.values())) / 28 * 30
    assert month["expected"] == pytest.approx(pace, rel=0.15)


async def test_a_cloud_and_filters_limit_the_forecast(ask: Ask) -> None:
    everything, cloud = await ask("forecast_spend"), await ask("forecast_spend", cloud="aws")
    scope = {"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["amazon-web-services"]}
    assert 0 < cloud["month"]["spent"] < everything["month"]["spent"]
    assert (await ask("forecast_spend", filters=[scope]))["month"] == cloud["month"]
    for arguments in ({"cloud": "nosuch"}, {"filters": [{**scope, "values": ["amazon"]}, {**scope, "values": ["x"]}]}):
        with pytest.raises(ApiError, match='no cloud "[a-z]+".*"amazon-web-services"'):
            await ask("forecast_spend", **arguments)


@pytest.fixture
async def exceeded(ask: Ask) -> AsyncIterator[str]:
    """A budget of a twentieth of a month's cost, which is exceeded within the month."""
    budget = await ask(
        "create_budget",
        name="Exceeded",
        amount=round((await ask("forecast_spend", cloud="aws", currency="USD"))["month"]["before"] / 20, 2),
        currency="USD",
        type="recurring",
        timeInterval="month",
        startPeriod="2026-01-01",
        scopes=[{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["amazon-web-services"]}],
    )
    assert budget["startPeriod"] == "2026-01-01"
    yield budget["id"]
    await ask("delete_budget", id=budget["id"])


async def test_three_tools_show_one_forecast(ask: Ask, exceeded: str) -> None:
    listed = {budget["id"]: budget for budget in (await ask("list_budgets"))["budgets"]}
    breaches = (await ask("forecast_spend"))["budgets"]
    assert {budget["status"] for budget in breaches} == {"exceeded", "at_risk"}
    same = ("forecastedUtilization", "percentUsed", "status", "exceededOn", "breaksOn", "basis", "period")
    for breach in breaches:
        one = await ask("get_budget", id=breach["id"])
        for name in same:
            assert one[name] == listed[breach["id"]][name] == breach[name], name
        assert breach["expected"] == one["forecastedUtilization"] >= one["currentUtilization"]
    risky = {identifier for identifier, budget in listed.items() if budget["riskStatus"] == "atRisk"}
    assert {breach["id"] for breach in breaches} == risky
    for identifier in listed.keys() - risky:
        one = await ask("get_budget", id=identifier)
        assert one["forecastedUtilization"] == listed[identifier]["forecastedUtilization"]
        assert one["status"] in ("on_track", "unknown") and one["breaksOn"] is None


async def test_days_of_breaches_are_those_of_the_costs(ask: Ask, exceeded: str) -> None:
    budgets = (await ask("list_budgets", filter="riskStatus:atRisk"))["budgets"]
    assert exceeded in {budget["id"] for budget in budgets if budget["exceededOn"]}
    for budget in budgets:
        period = budget["period"]
        first = date.fromisoformat(period["from"])
        days = await daily_costs(ask, first, TODAY, filters=budget["scopes"], currency=budget["currency"])
        total, passed = Decimal(0), None
        for day in sorted(days):
            total += days[day]
            if passed is None and total > Decimal(repr(budget["amount"])):
                passed = day
        assert budget["percentUsed"] == pytest.approx(float(100 * total / Decimal(repr(budget["amount"]))), abs=0.06)
        assert budget["exceededOn"] == (passed and passed.isoformat())
        if passed is None:
            assert TODAY.isoformat() <= budget["breaksOn"] <= period["to"]


async def test_one_budget_links_to_its_page_in_the_console(ask: Ask) -> None:
    budget = (await ask("list_budgets", maxResults=1))["budgets"][0]
    one = await ask("get_budget", id=budget["id"])
    # The list has the API's own link, to the console that serves everyone.
    assert urlsplit(one["url"]).path == urlsplit(budget["url"]).path
    assert one["url"].startswith("https://console.example/")


async def test_periods_and_dates_are_iso(ask: Ask) -> None:
    budget = (await ask("list_budgets", maxResults=1))["budgets"][0]
    one = await ask("get_budget", id=budget["id"])
    for found in (budget, one):
        assert date.fromisoformat(found["startPeriod"]) <= TODAY and found["createTime"].endswith("Z")
        assert date.fromisoformat(found["period"]["from"]) <= TODAY <= date.fromisoformat(found["period"]["to"])
    assert all(date.fromisoformat(alert["forecastedDate"]) for alert in one["alerts"] if "forecastedDate" in alert)
