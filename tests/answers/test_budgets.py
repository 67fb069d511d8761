"""Budgets say the same wherever they are shown, in amounts that can be paid, and errors name what works."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.catalog.costs.amounts import minor_unit
from doit_mcp.sandbox.accounts import ACME, GLOBEX, UMBRA, Customer

from .world import World


@pytest.mark.parametrize("customer", [ACME, GLOBEX, UMBRA])
async def test_amounts_are_whole_minor_units(november: World, customer: Customer) -> None:
    listed = (await november.call("list_budgets", {}, customer))["structuredContent"]["budgets"]
    breaches = (await november.call("forecast_spend", {}, customer))["structuredContent"]["budgets"]
    one = (await november.call("get_budget", {"id": listed[0]["id"]}, customer))["structuredContent"]
    assert listed and breaches
    for budget in [*listed, one, *breaches]:
        for name in ("currentUtilization", "spent", "forecastedUtilization", "expected"):
            amount = Decimal(repr(budget.get(name, 0.0)))
            assert amount % minor_unit(budget["currency"]) == 0, (name, amount)


async def test_search_says_what_the_tools_say(november: World) -> None:
    listed = {budget["id"]: budget for budget in (await november.ask("list_budgets"))["budgets"]}
    results = (await november.ask("search", query="budget"))["results"]
    titles = {hit["id"].removeprefix("budget:"): hit["title"] for hit in results if hit["id"].startswith("budget:")}
    assert titles.keys() == listed.keys() and any(budget["status"] == "exceeded" for budget in listed.values())
    for identifier, title in titles.items():
        budget = listed[identifier]
        assert title.endswith(f"USD, {budget['status'].replace('_', ' ')})")
        document = await november.ask("fetch", id=f"budget:{identifier}")
        assert document["title"].endswith(f"USD, {budget['status'].replace('_', ' ')})")


async def test_search_states_savings_per_month_as_the_tools_do(november: World) -> None:
    rows = (await november.ask("list_optimization_recommendations"))["insights"]
    titles = [hit["title"] for hit in (await november.ask("search", query="recommendation savings"))["results"]]
    shown = [title for title in titles if title.startswith("Recommendation:") and " a month)" in title]
    amounts = {f"saves {row['potentialMonthlySavings']:,.2f} USD a month" for row in rows}
    assert shown and all(title.rpartition("(")[2].removesuffix(")") in amounts for title in shown)
    assert not any("a day" in title for title in titles)


async def test_an_unknown_name_is_answered_with_the_names(november: World) -> None:
    text = await november.refusal("get_budget", name="clod")
    assert 'no budget has the name "clod"' in text and '"All clouds"' in text and "this id" not in text
    assert 'Did you mean "Google Cloud"' in await november.refusal("get_budget", name="Gogle Clod")


NEW = {"name": "X", "currency": "USD", "type": "recurring", "timeInterval": "month", "amount": 10.0}
NEW["startPeriod"] = "2026-11-01"


@pytest.mark.parametrize("wanted", ["Teams", "teams", "Team dta", "production"])
async def test_suggested_allocations_can_be_passed(november: World, wanted: str) -> None:
    text = await november.refusal("create_budget", **NEW, scope=[wanted])
    names = {row["id"]: row["name"] for row in (await november.ask("list_allocations"))["allocations"]}
    suggested = [part.rpartition('"')[2] for part in text.split('" (')][:-1]
    assert suggested and [names[identifier] for identifier in suggested]
    await create_and_delete(november, scope=suggested)


async def test_a_group_is_answered_with_its_allocations(november: World) -> None:
    rows = (await november.ask("list_allocations"))["allocations"]
    group = next(row["id"] for row in rows if row["name"] == "Teams")
    text = await november.refusal("create_budget", **NEW, scope=[group])
    members = [row for row in rows if row["name"].startswith("Team ")]
    assert "is a group" in text and all(f'"{row["id"]}" ("{row["name"]}")' in text for row in members)


async def test_the_hint_for_a_scope_without_costs_works(november: World) -> None:
    gcp = {"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}
    ec2 = {"type": "fixed", "id": "service_description", "values": ["Amazon Elastic Compute Cloud"]}
    text = await november.refusal("create_budget", **NEW, scopes=[gcp, ec2])
    arguments = json.loads(text.partition("cost_breakdown ")[2].partition("}. ")[0] + "}")
    found = await november.ask("cost_breakdown", **arguments)
    cloud = found["groups"][0]["id"]
    assert cloud == "amazon-web-services"
    await create_and_delete(november, scopes=[{**gcp, "values": [cloud]}, ec2])


async def create_and_delete(world: World, **scope: Any) -> None:
    created = await world.ask("create_budget", **NEW, **scope)
    assert created["scopeLastMonth"]["cost"] > 0
    await world.ask("delete_budget", id=created["id"])


@pytest.mark.parametrize(
    "arguments", [{"name": "Gogle Clod"}, {"nameContains": "Gogle Clod"}, {"filter": "budgetName:Gogle Clod"}]
)
async def test_a_list_without_a_match_names_similar_budgets(november: World, arguments: dict[str, str]) -> None:
    found = await november.ask("list_budgets", **arguments)
    assert found["budgets"] == []
    assert found["note"] == 'No budget with the name "Gogle Clod" matches. Did you mean "Google Cloud"?'
    assert "Budgets: " in (await november.ask("list_budgets", nameContains="zzzz"))["note"]
    assert "note" not in await november.ask("list_budgets", name="google")
