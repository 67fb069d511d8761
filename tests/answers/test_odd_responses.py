"""Responses with odd cells: an error of the API's answer, never an internal error or a silent zero."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder
from tests.catalog.caller import run

CELLS = {"year": "2026", "month": "08", "day": "05", "cost": 1.0, "usage": 1.0, "orders": 1.0}
PERIOD_COLUMNS = {"day": ("year", "month", "day"), "month": ("year", "month"), "year": ("year",)}
COST_TOOLS: dict[str, dict[str, Any]] = {
    "cost_breakdown": {"period": "2026-08"},
    "cost_trend": {"period": "2026-08", "groupBy": "service"},
    "compare_spend": {"period": "2026-09", "compareTo": "2026-08"},
    "explain_cost_change": {"after": "2026-09", "before": "2026-08"},
    "allocation_coverage": {"period": "2026-08", "by": "allocation:G"},
    "forecast_spend": {},
    "unit_cost": {"period": "2026-08", "metric": "orders", "groupBy": "service"},
    "ai_spend": {"period": "2026-08"},
}


def answering_cells(odd: dict[str, Any]) -> Recorder:
    """Return an API whose queries have one row, with the cells *odd*."""

    def answer(request: Request) -> Any:
        if request.path.endswith("allocations"):
            return {"allocations": [{"id": "G1", "name": "G", "allocationType": "group"}]}
        if "query" not in request.path:
            return {}
        config = (request.body or {})["config"]
        names = [group["id"] for group in config.get("group", ())]
        names += [*PERIOD_COLUMNS[config["timeInterval"]], *(metric["value"] for metric in config["metrics"])]
        row = [odd.get(name, CELLS.get(name, "x")) for name in names]
        return {"result": {"schema": [{"name": name, "type": "string"} for name in names], "rows": [row]}}

    return Recorder(answer)


@pytest.mark.parametrize("cost", [1e308, -1e308, 1e19, "1", True, [1.0], {"amount": 1.0}])
@pytest.mark.parametrize("tool", COST_TOOLS)
async def test_costs_that_no_bill_has_are_errors_of_the_answer(tool: str, cost: Any) -> None:
    with pytest.raises(ApiError, match="is not a plausible number") as caught:
        await run(tool, answering_cells({"cost": cost}), currency="USD", **COST_TOOLS[tool])
    assert caught.value.kind == "answer"


async def test_an_overview_names_the_costs_that_no_bill_has() -> None:
    overview = await run("get_cloud_overview", answering_cells({"cost": 1e308}), currency="USD", period="2026-08")
    assert overview["totalCost"] is None
    failures = {failure["part"]: failure["why"] for failure in overview["failed"]}
    assert {"costByCloud", "topServices"} <= failures.keys()
    assert all("is not a plausible number" in why for why in failures.values())


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("cost_trend", {"interval": "week"}), ("cost_trend", {"interval": "day"}), ("unit_cost", {"metric": "orders"})],
)
@pytest.mark.parametrize("day", [None, "32", ["5"]])
async def test_rows_without_a_day_are_errors_of_the_answer(tool: str, arguments: dict[str, Any], day: Any) -> None:
    with pytest.raises(ApiError, match="a row whose day cannot be read") as caught:
        await run(tool, answering_cells({"day": day}), currency="USD", period="2026-08", **arguments)
    assert caught.value.kind == "answer"


@pytest.mark.parametrize("tool", ["cost_breakdown", "cost_trend"])
@pytest.mark.parametrize("month", [None, "13", {"month": 8}])
async def test_rows_without_a_month_are_errors_of_the_answer(tool: str, month: Any) -> None:
    with pytest.raises(ApiError, match="a row whose month cannot be read") as caught:
        await run(tool, answering_cells({"month": month}), currency="USD", period="2026-08")
    assert caught.value.kind == "answer"


@pytest.mark.parametrize(
    ("plan", "instance"),
    [
        ({"commitment": {"amount": "1e999999"}}, {}),
        ({"commitment": {"amount": 1e308}}, {}),
        ({}, {"instanceCount": "two"}),
        ({}, {"instanceCount": 1.5}),
        ({}, {"upfrontFee": {"amount": 1}, "durationSeconds": "x"}),
        ({}, {"unusedHours": 1, "riCostForUnusedHours": {"amount": "1e500"}}),
    ],
)
@pytest.mark.parametrize("tool", ["get_savings_summary", "commitment_summary"])
async def test_commitments_with_odd_numbers_are_named(
    tool: str, plan: dict[str, Any], instance: dict[str, Any]
) -> None:
    ends = {"endTime": "0001-01-01T00:00:00Z"}

    def answer(request: Request) -> Any:
        if request.path.endswith("organizations"):
            return {"items": [{"managementAccountId": "1", "displayName": "acme"}]}
        if request.path.endswith("savings-plans"):
            return {"items": [{"commitmentId": "c", **ends, **plan}]}
        return {"items": [{"commitmentId": "i", **ends, **instance}]} if request.path.endswith("instances") else {}

    assert "in the response is not a" in str(await run(tool, Recorder(answer)))
