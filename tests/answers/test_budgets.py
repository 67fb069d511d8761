"""Budgets say the same wherever they are shown, in amounts that can be paid, and errors name what works."""

from __future__ import annotations

from decimal import Decimal

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
