"""What cost_breakdown says about costs that are missing, credits, SKUs, shares and dimensions."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World

TOGETHER = "Nothing matches cloud and filters together in this period."
CREDITS = "Promotional credits are excluded; pass includeCredits: true to see them."


def condition(identifier: str, *values: str, **more: Any) -> dict[str, Any]:
    """Return a filter on a fixed dimension."""
    return {"id": identifier, "type": "fixed", "values": list(values), **more}


async def test_credits_that_are_left_out_are_not_zero(november: World) -> None:
    credits = [condition("cost_type", "credit")]
    answer = await november.ask("cost_breakdown", period="2026-10", filters=credits)
    assert answer["note"] == CREDITS and answer["total"]["all"] is None
    names = [row[0] for row in november.sql("SELECT DISTINCT credit FROM series WHERE credit IS NOT NULL")]
    answer = await november.ask("cost_breakdown", period="2026-10", filters=[condition("credit", names[0])])
    assert answer["note"] == CREDITS
    answer = await november.ask("cost_breakdown", period="2026-10", filters=credits, includeCredits=True)
    assert answer["total"]["all"] < 0 and "note" not in answer


async def test_conditions_that_never_match_together_are_not_said_to_have_no_cost(november: World) -> None:
    bigquery = [condition("service_description", "BigQuery")]
    answer = await november.ask("cost_breakdown", cloud="aws", filters=bigquery, period="2026-10")
    assert (answer["total"]["all"], answer["note"]) == (0.0, TOGETHER)
    both = [*bigquery, condition("cloud_provider", "amazon-web-services")]
    assert (await november.ask("cost_trend", filters=both, period="2026-10"))["note"] == TOGETHER


@pytest.mark.parametrize("mode", [{}, {"mode": "is"}, {"mode": "regexp"}])
async def test_case_is_not_ignored_where_the_api_heeds_it(november: World, mode: dict[str, str]) -> None:
    folded = condition("service_description", "bigquery", caseInsensitive=True, **mode)
    text = await november.refusal("cost_breakdown", filters=[folded])
    assert "filters[0]" in text and "caseInsensitive works with contains, starts_with and ends_with only" in text
    found = await november.ask("cost_breakdown", filters=[{**folded, "mode": "contains"}])
    assert found["total"]["all"] == november.cost("2026-11-01", "2026-11-28", "service_description LIKE '%bigquery%'")


async def test_a_sku_is_one_group_with_the_name_of_its_ordinary_usage(november: World) -> None:
    answer = await november.ask("cost_breakdown", groupBy="sku", period="last_3_months", topN=25)
    expected = november.costs("sku_id", "2026-08-01", "2026-10-31")
    skus = {group["id"]: group for group in answer["groups"]}
    assert len(skus) == 25 and {sku: group["cost"] for sku, group in skus.items()} == {
        sku: expected[sku] for sku in skus
    }
    usage = november.costs(
        "sku_description", "2026-08-01", "2026-10-31", "sku_id = 'BoxUsage:m6i.xlarge' AND cost_type = 'Usage'"
    )
    assert len(usage) > 1
    assert skus["BoxUsage:m6i.xlarge"]["name"] == max(usage, key=lambda name: usage[name])
    assert not any(word in group["name"] for group in skus.values() for word in ("covered by", "Negation"))
    names = {row[0]: row[1] for row in answer["rows"]}
    assert len({(row[0], row[1]) for row in answer["rows"]}) == len(names)


@pytest.mark.parametrize("group_by", ["sku", "region", "service", ["service", "sku"]])
async def test_shares_do_not_depend_on_how_many_groups_are_shown(november: World, group_by: Any) -> None:
    shares: dict[str, set[float]] = {}
    for top in (1, 3, 7, 10, 25):
        answer = await november.ask("cost_breakdown", groupBy=group_by, period="2026-10", topN=top)
        for group in answer["groups"]:
            shares.setdefault(group["id"], set()).add(group["sharePercent"])
        parts = [group["sharePercent"] for group in answer["groups"]] + [answer["total"]["otherSharePercent"]]
        assert round(sum(parts), 1) == 100.0
    assert all(len(own) == 1 for own in shares.values())


async def test_credits_rank_by_their_size(november: World) -> None:
    answer = await november.ask(
        "cost_breakdown", period="2026-10", filters=[condition("cost_type", "credit")], includeCredits=True
    )
    costs = [group["cost"] for group in answer["groups"]]
    assert len(costs) > 1 and costs == sorted(costs) and max(costs) < 0
    # The API must not leave out the largest ones.
    limits = [config["group"][0].get("limit") for config in november.query_configs]
    assert [limit["sort"] for limit in limits if limit] == ["asc"]


@pytest.mark.parametrize(
    ("group_by", "column"),
    [
        ("pricing_unit", "pricing_unit"),
        ("cost_type", "cost_type"),
        ("credit", "credit"),
        ("team", "label_team"),
        ("gke:k8s-namespace", "gke_namespace"),
        ("aws:eks:namespace", "eks_namespace"),
    ],
)
async def test_costs_split_by_any_dimension(november: World, group_by: str, column: str) -> None:
    answer = await november.ask("cost_breakdown", groupBy=group_by, period="2026-10", topN=25)
    expected = november.costs(column, "2026-10-01", "2026-10-31")
    shown = {group["id"]: group["cost"] for group in answer["groups"]}
    assert len(shown) == min(25, len(expected))
    assert shown == {name: expected[name] for name in shown}


async def test_groups_that_differ_only_in_case_are_named(november: World) -> None:
    answer = await november.ask("cost_breakdown", groupBy="cost_type", period="2026-10")
    assert {"Tax", "tax"} <= {group["id"] for group in answer["groups"]}
    assert answer["note"] == 'These differ only in case: "Tax" and "tax". A filter needs both values.'


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("cost_breakdown", {"period": "2026-10"}),
        ("cost_trend", {"period": "2026-10", "interval": "day"}),
        ("compare_spend", {"period": "2026-10"}),
        ("explain_cost_change", {"after": "2026-10"}),
        ("get_cloud_overview", {"period": "2026-10"}),
        ("forecast_spend", {}),
        ("allocation_coverage", {"by": "label:team", "period": "2026-10"}),
        ("unit_cost", {"metric": "orders", "period": "2026-10"}),
    ],
)
async def test_values_that_differ_only_in_case_are_named(november: World, tool: str, arguments: dict[str, Any]) -> None:
    """AWS writes Tax, Google Cloud writes tax."""
    one = await november.ask(tool, **arguments, filters=[condition("cost_type", "Tax")])
    assert 'The data also has cost_type "tax", which no filter names.' in one["note"]
    both = await november.ask(tool, **arguments, filters=[condition("cost_type", "Tax", "tax")])
    assert "which no filter names" not in both.get("note", "")
    other = await november.ask(tool, **arguments, filters=[condition("cost_type", "Fee")])
    assert "which no filter names" not in other.get("note", "")
    assert 'cost_type value "TAX"' in await november.refusal(tool, **arguments, filters=[condition("cost_type", "TAX")])
