"""SKUs have the names of what was used, not of how it was paid."""

from __future__ import annotations

from .world import World, ordinal

BOX = "BoxUsage:m6i.xlarge"


def usage_description(world: World, sku: str, first: str, last: str) -> str:
    """Return the description of a SKU's most expensive ordinary usage."""
    rows = world.sql(
        "SELECT sku_description FROM lines JOIN series USING (series) WHERE sku_id = ? AND cost_type IN"
        " ('Usage', 'regular') AND day BETWEEN ? AND ? GROUP BY 1 ORDER BY SUM(cost) DESC LIMIT 1",
        sku,
        ordinal(first),
        ordinal(last),
    )
    return str(rows[0][0])


async def test_skus_of_an_explanation_are_named_by_their_usage(november: World) -> None:
    answer = await november.ask("explain_cost_change", by=["sku"], top=25)
    drivers = {driver.get("id"): driver["name"] for driver in answer["by"][0]["drivers"]}
    assert drivers[BOX] == usage_description(november, BOX, "2026-10-01", "2026-10-31")
    assert not [name for name in drivers.values() if "Negation" in name or "covered by" in name]


async def test_skus_of_a_comparison_are_named_by_their_usage_and_have_one_row_a_month(november: World) -> None:
    answer = await november.ask("compare_spend", groupBy="sku", period="2026-10", topN=25)
    names = {group["id"]: group["name"] for group in answer["groups"]}
    assert names[BOX] == usage_description(november, BOX, "2026-10-01", "2026-10-31")
    rows = [row for row in answer["period1"]["rows"] if row[0] == BOX]
    assert rows == [[BOX, names[BOX], "2026-10", november.cost("2026-10-01", "2026-10-31", "sku_id = ?", BOX)]]


async def test_fees_keep_their_description(november: World) -> None:
    answer = await november.ask("compare_spend", groupBy="sku", period="2026-Q3", topN=25)
    names = {group["id"]: group["name"] for group in answer["groups"]}
    assert names["HeavyUsage:ra3.xlplus"] == "Upfront fee of reserved instances"


async def test_groups_of_two_dimensions_have_a_list_of_both_values(november: World) -> None:
    answer = await november.ask("compare_spend", groupBy=["project", "service"], period="2026-10", topN=3)
    for group in answer["groups"]:
        project, service = group["id"]
        cost = november.cost("2026-10-01", "2026-10-31", "project_id = ? AND service_description = ?", project, service)
        assert group["period1"] == cost and group["name"].endswith(f" / {service}")
