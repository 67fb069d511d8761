"""Causes are known whatever the dimensions are, name the prices that changed, and are the sums of stored columns."""

from __future__ import annotations

from typing import Any

import pytest

from .world import World, ordinal


@pytest.mark.parametrize("by", [["label:team"], ["cloud"], ["allocation:Teams"], ["service", "region"]])
async def test_causes_do_not_need_skus_among_the_dimensions(november: World, by: list[str]) -> None:
    whole = await november.ask("explain_cost_change", after="2026-10")
    answer = await november.ask("explain_cost_change", after="2026-10", by=by)
    assert answer["causes"] == whole["causes"]
    assert [dimension["dimension"] for dimension in answer["by"]] == by


def unit_price(world: World, sku: str, first: str, last: str) -> float:
    """Return the cost of one unit of a SKU's usage that is paid by use."""
    rows = world.sql(
        "SELECT SUM(cost) * 1.0 / SUM(usage) FROM lines JOIN series USING (series) WHERE sku_id = ?"
        " AND cost_type IN ('Usage', 'regular') AND day BETWEEN ? AND ?",
        sku,
        ordinal(first),
        ordinal(last),
    )
    return float(rows[0][0])


async def test_price_drivers_are_skus_with_another_unit_price(november: World) -> None:
    for after, days in (
        ("2026-10", ("2026-09-01", "2026-09-30", "2026-10-01", "2026-10-31")),
        ("2026-Q3", ("2026-04-01", "2026-06-30", "2026-07-01", "2026-09-30")),
        ("2026-11", ("2026-10-01", "2026-10-28", "2026-11-01", "2026-11-28")),
    ):
        answer = await november.ask("explain_cost_change", after=after, by=["service"])
        drivers = answer["priceDrivers"]
        assert 0 < len(drivers) <= 3
        for driver in drivers:
            old, new = (unit_price(november, driver["id"], *days[at : at + 2]) for at in (0, 2))
            assert (new > old) == (driver["amount"] > 0) and abs(new / old - 1) > 0.001
        # They are nearly all of the cause.
        assert sum(driver["amount"] for driver in drivers) == pytest.approx(answer["causes"]["price"], rel=0.1)


async def test_rounded_costs_are_not_a_change_of_a_price(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="2026-11-05")
    assert [driver["id"] for driver in answer["priceDrivers"]] == ["TimedStorage-ByteHrs"]
    assert "priceDrivers" not in await november.ask("explain_cost_change", after="last_7_days")


@pytest.mark.parametrize("after", ["2026-10", "2026-Q3", "2026-11"])
async def test_stored_columns_of_skus_add_up_to_the_causes(november: World, after: str) -> None:
    answer = await november.ask("explain_cost_change", after=after, by=["service", "sku"], top=1)
    table: Any = await november.ask(
        "query_result",
        handle=answer["handle"],
        filters=[{"column": "dimension", "op": "is", "values": ["sku"]}],
        top=1,
    )
    for cause, amount in answer["causes"].items():
        assert table["total"][f"by{cause.capitalize()}"] == amount
    assert table["total"]["change"] == answer["total"]["change"]
