"""Forecasts agree with each other and with what the days turn out to cost, at the edges of the calendar."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.catalog.periods.period import month_of
from doit_mcp.sandbox.accounts import ACME, GLOBEX, UMBRA, Customer
from doit_mcp.sandbox.api import billing_data
from doit_mcp.sandbox.api.costs import activity
from doit_mcp.sandbox.api.costs.ledger import Ledger

from . import world as worlds
from .world import World, open_world

CUSTOMERS = (ACME, GLOBEX, UMBRA)
DAYS = ("2026-10-31", "2026-11-15", "2026-11-28", "2026-12-01", "2027-01-01", "2028-02-29")
ALL_CLOUDS = "All clouds"


async def answer(world: World, name: str, customer: Customer, /, **arguments: Any) -> Any:
    result = await world.call(name, arguments, customer)
    assert not result.get("isError"), result["content"][0]["text"]
    return result["structuredContent"]


@pytest.mark.parametrize("day", DAYS)
async def test_the_budget_of_all_costs_and_the_forecast_agree(day: str) -> None:
    async with open_world(day) as world:
        for customer in CUSTOMERS:
            month = (await answer(world, "forecast_spend", customer))["month"]
            budget = await answer(world, "get_budget", customer, name=ALL_CLOUDS)
            assert month["low"] <= budget["forecastedUtilization"] <= month["high"], customer.name
            assert budget["basis"] == "DoiT's forecast of this budget"


@pytest.mark.parametrize("day", DAYS)
async def test_forecasts_of_clouds_add_up_to_that_of_all(day: str) -> None:
    async with open_world(day) as world:
        total = await world.ask("forecast_spend")
        parts = [await world.ask("forecast_spend", cloud=cloud) for cloud in ("aws", "gcp", "azure")]
        for name in ("month", "quarter"):
            for amount in ("spent", "expected"):
                # Each part is rounded to cents.
                assert total[name][amount] == pytest.approx(sum(part[name][amount] for part in parts), abs=0.02)
        unfinished = {late for part in parts for late in part["month"]["unfinishedDays"]}
        assert total["month"]["unfinishedDays"] == sorted(unfinished)


async def test_clouds_are_read_by_one_query(november: World) -> None:
    await november.ask("forecast_spend")
    assert [config["group"][0]["id"] for config in november.query_configs] == ["cloud_provider"]


@pytest.mark.parametrize("day", ["2026-10-31", "2028-02-29"])
async def test_the_settled_cost_of_the_month_is_between_low_and_high(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = month_of(date.fromisoformat(day)).first.isoformat()
    async with open_world(day) as world:
        months = {customer: (await answer(world, "forecast_spend", customer))["month"] for customer in CUSTOMERS}
        shown = {customer: world.cost(first, day, customer=customer) for customer in CUSTOMERS}
    monkeypatch.setattr(activity, "ARRIVED", dict.fromkeys(activity.ARRIVED, (1.0, 1.0, 1.0)))
    # The world in which all costs of the last days have arrived.
    monkeypatch.setattr(worlds, "api_of", worlds.api_of.__wrapped__)
    monkeypatch.setattr(billing_data, "Ledger", Ledger)
    async with open_world(day) as settled:
        for customer, month in months.items():
            rate = month["spent"] / shown[customer]
            truth = settled.cost(first, day, customer=customer) * rate
            assert month["spent"] < month["low"] <= truth <= month["high"], customer.name


async def test_a_budget_that_only_our_forecast_exceeds_is_shown_with_both(november: World) -> None:
    month = (await november.ask("forecast_spend"))["month"]
    budget = await november.ask("get_budget", name=ALL_CLOUDS)
    own, ours = budget["forecastedUtilization"], month["expected"]
    assert own < ours
    await show_both(november, amount=round((own + ours) / 2, 2))


async def test_a_budget_of_one_cloud_is_compared_with_the_forecast_of_that_cloud(november: World) -> None:
    month = (await november.ask("forecast_spend", cloud="aws"))["month"]
    budget = await november.ask("get_budget", name="Amazon Web Services")
    low, high = sorted((budget["forecastedUtilization"], month["expected"]))
    scopes = [{"type": "fixed", "id": "cloud_provider", "values": ["amazon-web-services"]}]
    await show_both(november, "aws", amount=round((low + high) / 2, 2), scopes=scopes)


async def show_both(world: World, cloud: str | None = None, **fields: Any) -> None:
    """Check that a budget between the two forecasts is listed with its own status and the other forecast."""
    arguments: dict[str, Any] = {"name": "Between", "currency": "USD", "type": "recurring", "timeInterval": "month"}
    created = await world.ask("create_budget", **arguments, startPeriod="2026-11-01", **fields)
    try:
        answer = await world.ask("forecast_spend", **({"cloud": cloud} if cloud else {}))
        listed = next(budget for budget in answer["budgets"] if budget["id"] == created["id"])
        is_over = answer["month"]["expected"] > fields["amount"]
        assert listed["status"] == ("on_track" if is_over else "at_risk")
        assert (listed["forecastedUtilization"] > fields["amount"]) != is_over
        assert listed["basis"] == (
            "DoiT's forecast of this budget; month.expected, the forecast of the same costs by cloud and day, is "
            f"{'above' if is_over else 'within'} it"
        )
        other = await world.ask("forecast_spend", cloud="azure")
        assert is_over == all(budget["id"] != created["id"] for budget in other["budgets"])
    finally:
        await world.ask("delete_budget", id=created["id"])


async def test_a_budget_that_has_ended_or_not_begun_is_not_listed(november: World) -> None:
    common = {"currency": "USD", "amount": 100.0}
    ended = await november.ask(
        "create_budget", name="Ended", type="fixed", startPeriod="2026-01-01", endPeriod="2026-03-31", **common
    )
    running = await november.ask(
        "create_budget", name="Running", type="fixed", startPeriod="2026-09-01", endPeriod="2026-12-31", **common
    )
    try:
        before = november.cost("2026-09-01", "2026-11-28")
        listed = {budget["id"]: budget for budget in (await november.ask("forecast_spend"))["budgets"]}
        assert ended["id"] not in listed
        assert (listed[running["id"]]["status"], listed[running["id"]]["spent"]) == ("exceeded", before)
        for budget in listed.values():
            assert budget["period"]["from"] <= "2026-11-28" <= budget["period"]["to"]
    finally:
        for created in (ended, running):
            await november.ask("delete_budget", id=created["id"])


async def test_two_forecasts_of_the_same_costs_say_what_each_is(november: World) -> None:
    answer = await november.ask("forecast_spend", cloud="gcp")
    budgets = {budget["name"]: budget for budget in answer["budgets"]}
    same = budgets["Google Cloud"]
    assert same["forecastedUtilization"] != answer["month"]["expected"]
    assert same["basis"].endswith(
        "; month.expected forecasts the same costs by cloud and day, so it can differ from forecastedUtilization"
    )
    assert all("month.expected" not in budget["basis"] for name, budget in budgets.items() if name != "Google Cloud")


async def test_forecast_rows_of_a_query_say_what_they_are(november: World) -> None:
    config: dict[str, Any] = {
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeInterval": "month",
        "timeRange": "last_3_months",
    }
    plain = await november.ask("run_query", config=config)
    assert "forecast" not in plain["basis"]
    settings = {"mode": "totals", "futureTimeIntervals": 2}
    answer = await november.ask("run_query", config={**config, "forecastSettings": settings})
    assert answer["forecastRows"] and answer["basis"]["forecast"].startswith(
        "DoiT's forecast of the rows of this query"
    )
