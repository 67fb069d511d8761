"""Unit cost: cost divided by the units of a DataHub metric."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.group_costs import CostRow
from doit_mcp.catalog.unit_costs.unit_cost import UnitRows, make_unit_cost
from tests.api.recorder import Recorder

from .. import billing
from ..caller import call

AWS, GOOGLE = "amazon-web-services", "google-cloud"
COSTS: list[billing.Line] = [
    ("2026-07-10", {"cloud_provider": AWS, "service_description": "EC2"}, 100.0, 0.0),
    ("2026-08-10", {"cloud_provider": AWS, "service_description": "EC2"}, 150.0, 0.0),
    ("2026-08-20", {"cloud_provider": GOOGLE, "service_description": "BigQuery"}, 50.0, 0.0),
]
ORDERS: list[billing.Line] = [
    ("2026-07-31", {"service_description": "EC2"}, 0.0, 400.0),
    ("2026-08-31", {"service_description": "EC2"}, 0.0, 500.0),
    ("2026-08-30", {"service_description": "BigQuery"}, 0.0, 300.0),
]


def answering(units: list[billing.Line], costs: list[billing.Line] = COSTS) -> Callable[[Request], Any]:
    """Return an API with these costs and units of the metric orders."""

    def answer(request: Request) -> Any:
        if request.path.endswith("datasets"):
            return {"datasets": [{"name": "shop"}]}
        if request.path.endswith("dimension"):
            return {"values": [{"value": AWS}, {"value": GOOGLE}]}
        config = (request.body or {})["config"]
        if config["dataSource"] == "billing":
            return {"result": billing.result(config, costs, {})}
        assert config["metrics"] == [{"type": "extended", "value": "orders"}] and "filters" not in config
        return {"result": billing.result(config, units, {})}

    return answer


async def unit_cost(units: list[billing.Line] = ORDERS, **arguments: Any) -> Any:
    """Return the unit cost of orders."""
    return (await call("unit_cost", Recorder(answering(units)), metric="orders", **arguments))["structuredContent"]


async def test_default_is_last_month() -> None:
    found = await unit_cost()
    assert (found["cost"], found["units"], found["unitCost"]) == (200.0, 800.0, 0.25)
    assert (found["period"]["from"], found["currency"]) == ("2026-08-01", "USD") and "periods" not in found
    assert found["unitsPerDay"] == 25.8065
    assert found["metric"] == "orders" and "note" not in found


async def test_several_months_are_shown_one_by_one() -> None:
    found = await unit_cost(period="last_2_months")
    assert [(item["period"], item["cost"], item["units"], item["unitCost"]) for item in found["periods"]] == [
        ("2026-07", 100.0, 400.0, 0.25),
        ("2026-08", 200.0, 800.0, 0.25),
    ]
    assert found["unitCost"] == 0.25


async def test_groups_are_divided_by_their_own_units() -> None:
    found = await unit_cost(groupBy="service", topN=1)
    assert found["unitsBy"] == "group" and found["other"] == 50.0
    assert found["groups"] == [{"id": "EC2", "name": "EC2", "cost": 150.0, "units": 500.0, "unitCost": 0.3}]


async def test_groups_are_divided_by_all_units_if_the_metric_lacks_the_dimension() -> None:
    found = await unit_cost([(day, {}, cost, units) for day, _, cost, units in ORDERS], groupBy="service")
    assert found["unitsBy"] == "total"
    assert [(group["id"], group["unitCost"]) for group in found["groups"]] == [("EC2", 0.1875), ("BigQuery", 0.0625)]
    assert sum(group["unitCost"] for group in found["groups"]) == found["unitCost"]


async def test_cloud_applies_to_the_cost_only() -> None:
    found = await unit_cost(cloud="gcp")
    assert (found["cost"], found["units"], found["unitCost"]) == (50.0, 800.0, 0.0625)


async def test_missing_units_are_unknown_and_not_free() -> None:
    found = await unit_cost(ORDERS[:1])
    assert found["unitCost"] is None and found["units"] == 0.0 and "no units in this period" in found["note"]
    late = await unit_cost([("2026-08-20", {}, 0.0, 10.0)])
    assert late["unitCost"] == 20.0 and "2026-08-20" in late["note"]


async def test_days_whose_cost_is_not_final_are_left_out() -> None:
    running = [("2026-09-18", {"cloud_provider": AWS}, 80.0, 0.0), ("2026-09-20", {"cloud_provider": AWS}, 5.0, 0.0)]
    orders = [("2026-09-18", {}, 0.0, 40.0), ("2026-09-20", {}, 0.0, 40.0)]
    api = Recorder(answering(orders, running))
    found = (await call("unit_cost", api, metric="orders", period="this_month"))["structuredContent"]
    assert (found["cost"], found["units"], found["unitCost"]) == (80.0, 40.0, 2.0)
    assert found["period"] == {
        **{"from": "2026-09-01", "to": "2026-09-18", "days": 18, "complete": False, "finalThrough": "2026-09-18"}
    }
    assert "2026-09-18 are not final" in found["note"]
    today = (await call("unit_cost", api, metric="orders", period="2026-09-20/2026-09-21"))["structuredContent"]
    assert (today["cost"], today["period"]["finalThrough"]) == (5.0, None)


async def test_unknown_metric_is_an_error() -> None:
    with pytest.raises(ApiError, match='no DataHub event .* "orders".*Datasets: "shop"'):
        await unit_cost([])
    refused = ApiError("metrics[0]: not one of order_count, customers", kind="refused", status=400)

    def refusing(request: Request) -> Any:
        is_units = (request.body or {}).get("config", {}).get("dataSource") == "billing-datahub"
        return refused if is_units else answering([])(request)

    with pytest.raises(ApiError, match='metric: "orders" cannot be queried.*Did you mean order_count'):
        await call("unit_cost", Recorder(refusing), metric="orders")


async def test_two_dimensions_are_refused() -> None:
    with pytest.raises(ApiError, match="one dimension"):
        await unit_cost(groupBy=["service", "cloud"])


AMOUNT = st.decimals(0, 10_000, places=4)


@given(st.lists(st.tuples(st.sampled_from("abc"), AMOUNT, AMOUNT), min_size=1), st.integers(1, 3))
def test_groups_and_other_add_up(lines: list[tuple[str, Decimal, Decimal]], top: int) -> None:
    groups = [CostRow((name,), (name,), "2026-08", cost) for name, cost, _ in lines]
    daily = [CostRow((), (), "2026-08-01", units) for _, _, units in lines]
    found = make_unit_cost(UnitRows(groups, groups, daily, []), 31, top, "USD")
    shown = sum((Decimal(str(group["cost"])) for group in found["groups"]), Decimal(0))
    assert shown + Decimal(str(found["other"])) == Decimal(str(found["cost"]))
    assert (found["unitCost"] is None) == (found["units"] == 0)
