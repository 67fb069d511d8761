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


def make_api(units: list[billing.Line], costs: list[billing.Line] = COSTS) -> Callable[[Request], Any]:
    """Return an API with these costs and units of the metric orders."""

    def answer(request: Request) -> Any:
        if request.path.endswith("datasets"):
            return {"datasets": [{"name": "shop", "description": "By day: sales"}, {"name": "empty"}]}
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
    return (await call("unit_cost", Recorder(make_api(units)), metric="orders", **arguments))["structuredContent"]


async def test_default_is_last_month() -> None:
    found = await unit_cost()
    assert (found["cost"], found["units"], found["unitCost"]) == (200.0, 800.0, 0.25)
    assert (found["period"]["from"], found["currency"]) == ("2026-08-01", "USD") and "periods" not in found
    # The mean of the two days that have units, not of the 31 days of the month.
    assert found["metric"] == "orders" and found["unitsPerDay"] == 400.0
    assert "summed over days" in found["note"] and "2 of 31 days have units" in found["note"]


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
    assert found["unitsPerDay"] is None
    late = await unit_cost([("2026-08-20", {}, 0.0, 10.0)])
    assert late["unitCost"] == 20.0 and "last units are from 2026-08-20" in late["note"]
    assert "first units are from 2026-08-20" in late["note"]


async def test_days_whose_cost_is_not_final_are_left_out() -> None:
    running: list[billing.Line] = [
        ("2026-09-18", {"cloud_provider": AWS}, 80.0, 0.0),
        ("2026-09-20", {"cloud_provider": AWS}, 5.0, 0.0),
    ]
    orders: list[billing.Line] = [("2026-09-18", {}, 0.0, 40.0), ("2026-09-20", {}, 0.0, 40.0)]
    api = Recorder(make_api(orders, running))
    found = (await call("unit_cost", api, metric="orders", period="this_month"))["structuredContent"]
    assert (found["cost"], found["units"], found["unitCost"]) == (80.0, 40.0, 2.0)
    assert found["period"] == {
        **{"from": "2026-09-01", "to": "2026-09-18", "days": 18, "complete": False, "finalThrough": "2026-09-18"}
    }
    assert "2026-09-18 are not final" in found["note"]
    today = (await call("unit_cost", api, metric="orders", period="2026-09-20/2026-09-21"))["structuredContent"]
    assert (today["cost"], today["period"]["finalThrough"]) == (5.0, None)
    assert "No day of this period has final costs" in today["note"]


async def test_unknown_metric_is_an_error() -> None:
    with pytest.raises(ApiError, match='"orders" is in no DataHub event .*Datasets: "shop" \\("By day: sales"\\)'):
        await unit_cost([])


def make_refusing_api(reason: str, datasets: Any = None) -> Callable[[Request], Any]:
    """Return an API that refuses queries of units."""

    def answer(request: Request) -> Any:
        if request.path.endswith("datasets") and datasets is not None:
            return datasets
        if (request.body or {}).get("config", {}).get("dataSource") == "billing-datahub":
            return ApiError(reason, kind="refused", status=400)
        return make_api([])(request)

    return answer


async def test_names_are_never_taken_from_the_text_of_a_refusal() -> None:
    reason = "metrics[0]: 'orders' is not one of amortized_cost, order_count"
    with pytest.raises(ApiError) as caught:
        await call("unit_cost", Recorder(make_refusing_api(reason)), metric="orders")
    assert '"orders" is not a DataHub metric' in str(caught.value) and '"shop"' in str(caught.value)
    assert "amortized_cost" not in str(caught.value) and "Did you mean" not in str(caught.value)
    forbidden = ApiError("", kind="forbidden", status=403)
    with pytest.raises(ApiError, match="not a DataHub metric.*Datasets: unknown, .*permission"):
        await call("unit_cost", Recorder(make_refusing_api(reason, forbidden)), metric="orders")


async def test_refusals_for_other_reasons_are_passed_on() -> None:
    with pytest.raises(ApiError, match="subscription"):
        await call("unit_cost", Recorder(make_refusing_api("no DataHub subscription")), metric="orders")


@pytest.mark.parametrize("metric", ["cost", "Usage", "savings", "amortized_cost", "Amortized cost", "list-price"])
async def test_cost_is_not_divided_by_cost(metric: str) -> None:
    api = Recorder(make_api([]))
    with pytest.raises(ApiError, match="is a billing metric.*list_datahub_datasets"):
        await call("unit_cost", api, metric=metric)
    assert api.requests == []


async def test_two_dimensions_are_refused() -> None:
    with pytest.raises(ApiError, match="one dimension"):
        await unit_cost(groupBy=["service", "cloud"])


AMOUNT = st.decimals(0, 10_000, places=4)


@given(st.lists(st.tuples(st.sampled_from("abc"), AMOUNT, AMOUNT), min_size=1), st.integers(1, 3))
def test_groups_and_other_add_up(lines: list[tuple[str, Decimal, Decimal]], top: int) -> None:
    groups = [CostRow((name,), (name,), "2026-08", cost) for name, cost, _ in lines]
    daily = [CostRow((), (), "2026-08-01", units) for _, _, units in lines]
    found = make_unit_cost(UnitRows(groups, groups, daily, []), top, "USD")
    shown = sum((Decimal(str(group["cost"])) for group in found["groups"]), Decimal(0))
    assert shown + Decimal(str(found["other"])) == Decimal(str(found["cost"]))
    assert (found["unitCost"] is None) == (found["units"] == 0)
