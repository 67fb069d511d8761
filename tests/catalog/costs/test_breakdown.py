"""Cost breakdown: the query it asks, and the sums it makes of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.breakdown import cost_query, cost_totals, group_by_top
from doit_mcp.catalog.tables import month_range
from tests.api.recorder import Recorder

from ..caller import TOOLS, call

COLUMNS = [{"name": name, "type": "string"} for name in ("service_description", "year", "month")]
COLUMNS += [{"name": "cost", "type": "float"}]


async def test_it_asks_the_query_of_the_old_server() -> None:
    api = Recorder({"result": {"schema": COLUMNS, "rows": [["EC2", "2026", "11", 5.0]]}})
    result = await call("cost_breakdown", api, groupBy="service", cloud="AWS", months="3", topN=2)
    assert api.requests[0].body == {
        "config": {
            "dataSource": "billing",
            "metrics": [{"type": "basic", "value": "cost"}],
            "timeInterval": "month",
            "timeRange": {"mode": "last", "amount": 3, "unit": "month", "includeCurrent": True},
            "group": [
                {
                    "id": "service_description",
                    "type": "fixed",
                    "limit": {"metric": {"type": "basic", "value": "cost"}, "sort": "desc", "value": 2},
                }
            ],
            "filters": [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["amazon-web-services"]}],
        }
    }
    found = result["structuredContent"]
    assert found["rowCount"] == 1 and found["rows"] == [["EC2", "2026", "11", 5.0]] and found["columns"] == COLUMNS
    assert found["total"] == {"shown": 5.0, "other": 0.0, "all": 5.0}
    assert found["currency"] is None
    assert found["period"] == {"months": 3, "first": "2026-11", "last": "2026-11"}


async def test_the_currency_is_the_asked_one_or_the_customers_own() -> None:
    api = Recorder({"result": {"schema": COLUMNS, "rows": []}})
    asked = (await call("cost_breakdown", api, groupBy="cloud", currency="eur"))["structuredContent"]
    assert asked["currency"] == "EUR" and (api.requests[0].body or {})["config"]["currency"] == "EUR"

    def answer(request: Request) -> Any:
        customer = {"id": "acme", "settings": {"currency": "GBP"}}
        return customer if "customers" in request.path else {"result": {"schema": COLUMNS, "rows": []}}

    api = Recorder(answer)
    api.tenant = "acme"
    own = (await call("cost_breakdown", api, groupBy="cloud"))["structuredContent"]
    assert own["currency"] == "GBP"
    assert sorted(request.path for request in api.requests) == [
        *("/analytics/v1/reports/query", "/customers/v1/customers/acme"),
    ]


@pytest.mark.parametrize(
    "customer", [ApiError("", kind="forbidden", status=403), {}, {"settings": {"currency": "XXX"}}]
)
async def test_a_currency_that_cannot_be_had_is_null(customer: Any) -> None:
    def answer(request: Request) -> Any:
        return customer if "customers" in request.path else {"result": {"schema": COLUMNS, "rows": []}}

    api = Recorder(answer)
    api.tenant = "acme"
    found = (await call("cost_breakdown", api, groupBy="cloud"))["structuredContent"]
    assert "currency" in found and found["currency"] is None


@pytest.mark.parametrize(("group", "dimension"), [("project", "project_id"), ("cloud", "cloud_provider")])
async def test_it_splits_by_what_was_asked(group: str, dimension: str) -> None:
    api = Recorder({"result": {}})
    await call("cost_breakdown", api, groupBy=group)
    assert (api.requests[0].body or {})["config"]["group"][0]["id"] == dimension
    assert "filters" not in (api.requests[0].body or {})["config"]


ROWS: list[list[Any]] = [
    ["S3", "2026", "10", 1.111],
    ["EC2", "2026", "10", 2.0],
    ["EC2", "2026", "11", 2.0],
    ["S3", "2026", "11", None],
]
WHOLE = {"schema": COLUMNS[1:], "rows": [["2026", "10", 53.111], ["2026", "11", 9.5]]}


async def test_rows_are_in_the_order_of_their_groups_cost_and_the_rest_is_one_sum() -> None:
    api = Recorder({"result": {"schema": COLUMNS, "rows": ROWS, "cacheHit": True}}, {"result": WHOLE})
    found = (await call("cost_breakdown", api, groupBy="service", topN=2, months=2))["structuredContent"]
    assert [row[0] for row in found["rows"]] == ["EC2", "EC2", "S3", "S3"] and found["rowCount"] == 4
    assert found["groups"] == [{"name": "EC2", "cost": 4.0}, {"name": "S3", "cost": 1.11}]
    assert found["total"] == {"shown": 5.11, "other": 57.5, "all": 62.61}
    assert found["period"] == {"months": 2, "first": "2026-10", "last": "2026-11"} and "cacheHit" not in found
    first, second = ((request.body or {})["config"] for request in api.requests)
    assert second == {name: value for name, value in first.items() if name != "group"}


@pytest.mark.parametrize("second", [ApiError("", kind="timeout"), {"result": {"schema": [], "rows": [[]]}}])
async def test_a_rest_that_cannot_be_had_is_not_known(second: Any) -> None:
    api = Recorder({"result": {"schema": COLUMNS, "rows": ROWS}}, second)
    found = (await call("cost_breakdown", api, groupBy="service", topN=2))["structuredContent"]
    assert found["total"] == {"shown": 5.11, "other": None, "all": None} and found["rowCount"] == 4


async def test_an_answer_with_other_columns_is_passed_on() -> None:
    odd: dict[str, Any] = {"schema": [{"name": "x"}, {"name": None}], "rows": [[1, 2], [3]]}
    found = (await call("cost_breakdown", Recorder({"result": odd}), groupBy="cloud"))["structuredContent"]
    assert found == {
        **{"rowCount": 2, "rows": odd["rows"], "columns": odd["schema"]},
        **{"currency": None, "period": {"months": 1}},
    }


def test_months_are_read_in_both_forms() -> None:
    columns = [{"name": "year"}, {"name": "month"}]
    rows = [["2026", "2026-11"], [2025, 2], ["short"]]
    assert month_range({"columns": columns, "rows": rows}) == {"first": "2025-02", "last": "2026-11"}
    assert (
        month_range({"columns": columns, "rows": []}) == {} == month_range({"columns": columns[:1], "rows": [["2026"]]})
    )


def test_the_configs_are_ones_that_run_query_takes() -> None:
    config = cost_query("gcp", 24, "EUR")
    assert TOOLS["run_query"].argument_problems({"config": config}) == []
    assert TOOLS["run_query"].argument_problems({"config": group_by_top(config, "project_id", 25)}) == []


def test_sums_have_no_negative_zero() -> None:
    assert str(cost_totals(5.0, 4.9999)["other"]) == "0.0"
