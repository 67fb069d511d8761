"""Reports and budgets whose saved configuration has a form that is not known: the rest of the answer stays."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder
from tests.catalog.billing import answering
from tests.catalog.caller import run

CONFIG: dict[str, Any] = {
    "currency": "USD",
    "timeRange": {"mode": "last", "amount": 3, "unit": "month"},
    "metrics": [{"type": "basic", "value": "cost"}],
}
FILTER = {"id": "service_description", "type": "fixed", "values": ["EC2"]}
SCHEMA = [{"name": "service_description", "type": "string"}, {"name": "cost", "type": "float"}]
ODD_CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"filters": [{**FILTER, "type": "new_type"}]}, "config.filters"),
    ({"filters": [{**FILTER, "mode": "new_mode"}]}, "config.filters"),
    ({"filters": [None]}, "config.filters"),
    ({"filters": "x"}, "config.filters"),
    ({"metrics": [None]}, "config.metrics"),
    ({"metrics": "cost"}, "config.metrics"),
    ({"metrics": [{"type": "basic", "value": ["cost"]}]}, "config.metrics"),
    ({"metric": "cost"}, "config.metric"),
    ({"group": [None]}, "config.group"),
    ({"group": [{"id": "a", "type": {}}]}, "config.group"),
    ({"group": [{"id": "a", "type": "fixed", "limit": 5}]}, "config.group"),
    ({"dimensions": [None]}, "config.dimensions"),
]
ODD_RANGES: list[Any] = [
    ["x"],
    5,
    {"mode": "last", "amount": "abc", "unit": "month"},
    {"mode": "last", "amount": True, "unit": "month"},
    {"mode": "last", "amount": 3, "unit": "fortnight"},
    {"mode": "next", "amount": 3, "unit": "month"},
    {"mode": "last", "amount": 3, "unit": ["month"]},
]


def report(config: Any, rows: list[Any]) -> Recorder:
    """Return an API with one report, and costs of its customer."""

    def answer(request: Request) -> Any:
        if request.path.endswith("config"):
            return config
        if "query" in request.path:
            return answering({}, [("2026-07-01", {}, 1.0, 1.0)])(request)
        return {"id": "r", "reportName": "R", "result": {"schema": SCHEMA, "rows": rows}}

    return Recorder(answer)


@pytest.mark.parametrize("rows", [[["EC2", 1.0]], []])
@pytest.mark.parametrize(("odd", "field"), ODD_CONFIGS)
async def test_a_report_of_unknown_form_has_no_basis(odd: dict[str, Any], field: str, rows: list[Any]) -> None:
    answer = await run("get_report_results", report({"config": {**CONFIG, **odd}}, rows), id="r")
    (failure,) = answer["failed"]
    assert failure["part"] == "config" and field in failure["why"]
    assert answer["result"]["rows"] == rows
    assert answer["currency"] is answer["period"] is None and not answer.keys() & {"basis", "total", "note"}


@pytest.mark.parametrize("time_range", ODD_RANGES)
async def test_a_report_of_an_unknown_period_has_the_rest(time_range: Any) -> None:
    answer = await run(
        "get_report_results", report({"config": {**CONFIG, "timeRange": time_range}}, [["EC2", 1]]), id="r"
    )
    assert [failure["part"] for failure in answer["failed"]] == ["period"]
    assert answer["period"] is None and answer["total"] == {"cost": 1.0} and answer["basis"]["metric"] == "cost"


async def test_unknown_and_null_members_of_filters_are_ignored() -> None:
    config = {**CONFIG, "filters": [{**FILTER, "mode": None, "newMember": 1}]}
    answer = await run("get_report_results", report({"config": config}, [["EC2", 1.0]]), id="r")
    assert "failed" not in answer and answer["basis"]["metric"] == "cost"


@pytest.mark.parametrize("arguments", [{}, {"timeRange": "2026-08"}])
async def test_an_empty_report_without_its_config_has_no_reason(arguments: dict[str, Any]) -> None:
    forbidden = ApiError("", kind="forbidden", status=403)

    def config(request: Request) -> Any:
        if request.path.endswith("config"):
            raise forbidden
        return report({}, []).answers[0](request)

    answer = await run("get_report_results", Recorder(config), id="r", **arguments)
    assert [failure["part"] for failure in answer["failed"]] == ["config"]
    assert "note" not in answer


@pytest.mark.parametrize("scopes", ["x", 5, [None], {"a": 1}, [{"id": "a", "type": "new_type"}], [{"type": "fixed"}]])
async def test_a_budget_with_an_unknown_scope_keeps_its_status(scopes: Any) -> None:
    row = {"id": "b", "budgetName": "B", "amount": 10, "currentUtilization": 20, "timeInterval": "month"}

    def answer(request: Request) -> Any:
        return {"budgets": [row]} if request.path.endswith("budgets") else {**row, "scopes": scopes}

    answered = await run("list_budgets", Recorder(answer))
    (budget,) = answered["budgets"]
    assert (budget["status"], budget["percentUsed"], budget["exceededOn"]) == ("exceeded", 200.0, None)
    (failure,) = answered["failed"]
    assert failure["part"] == "exceededOn of B" and "cannot be read" in failure["why"]


async def test_a_budget_with_unknown_allocations_keeps_its_status() -> None:
    row = {"id": "b", "budgetName": "B", "amount": 10, "currentUtilization": 20, "timeInterval": "month", "scope": 7}

    def answer(request: Request) -> Any:
        return {"budgets": [row]} if request.path.endswith("budgets") else row

    answered = await run("list_budgets", Recorder(answer))
    assert answered["failed"] == [{"part": "exceededOn of B", "why": "scope of the response cannot be read"}]
