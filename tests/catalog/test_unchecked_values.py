"""Answers say if it is unknown whether all values of their filters exist, and check them once."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.checked_values import NOT_CHECKED
from tests.api.recorder import Recorder

from .billing import Line, make_api
from .caller import run

BQ = {
    **{"service_description": "BigQuery", "cloud_provider": "google-cloud", "project_id": "p", "project_name": "P"},
    **{"sku_description": "tokens", "region": "us"},
}
# Today is 2026-09-21.
LINES: list[Line] = [(f"2026-{month:02}-{day:02}", BQ, 5.0, 1.0) for month in (7, 8, 9) for day in (1, 2, 18)]
SERVICES = {"id": "service_description", "type": "fixed", "values": ["BigQuery", "Other"]}
QUERY = {
    **{"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month"},
    **{"timeRange": "last_month", "filters": [SERVICES]},
}
TOOLS: dict[str, dict[str, Any]] = {
    "cost_breakdown": {"groupBy": "project"},
    "cost_trend": {},
    "get_cloud_overview": {},
    "compare_spend": {"period": "last_month", "groupBy": "project"},
    "explain_cost_change": {"by": ["project"]},
    "forecast_spend": {},
    "unit_cost": {"metric": "orders"},
    "ai_spend": {},
    "run_query": {"config": QUERY},
}
UNREADABLE = ApiError("", kind="timeout")


def recorder(dimension: Any, lines: list[Line]) -> Recorder:
    others = {
        "/dimensions": {"dimensions": [{"id": "service_description", "type": "fixed"}]},
        "/dimension": dimension,
        **dict.fromkeys(("/budgets", "/anomalies", "/cloudincidents", "/knownissues", "/datasets"), {}),
    }
    return Recorder(make_api(others, lines))


def arguments_of(tool: str) -> dict[str, Any]:
    return TOOLS[tool] if tool == "run_query" else {**TOOLS[tool], "filters": [SERVICES], "currency": "USD"}


def reads_of_values(api: Recorder) -> int:
    return sum(request.path.endswith("/dimension") for request in api.requests)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("refusal", [UNREADABLE, ApiError("too many", kind="refused", status=400)], ids=str)
async def test_values_that_could_not_be_checked_are_noted(tool: str, refusal: ApiError) -> None:
    api = recorder(refusal, LINES)
    answer = await run(tool, api, **arguments_of(tool))
    assert answer["note"].count(NOT_CHECKED) == 1
    assert reads_of_values(api) == 1


@pytest.mark.parametrize("tool", TOOLS)
async def test_values_that_exist_are_not_noted(tool: str) -> None:
    api = recorder({"values": [{"value": "BigQuery"}, {"value": "Other"}]}, LINES)
    answer = await run(tool, api, **arguments_of(tool))
    assert NOT_CHECKED not in answer.get("note", "")
    assert reads_of_values(api) == 1


@pytest.mark.parametrize("tool", sorted(TOOLS.keys() - {"unit_cost"}))
@pytest.mark.parametrize("dimension", [UNREADABLE, {"values": [{"value": "BigQuery"}, {"value": "Other"}]}], ids=str)
async def test_values_of_an_empty_answer_are_checked_once(tool: str, dimension: Any) -> None:
    other = {**BQ, "service_description": "Third"}
    api = recorder(dimension, [(day, other, cost, usage) for day, _, cost, usage in LINES])
    answer = await run(tool, api, **arguments_of(tool))
    assert answer["note"].count(NOT_CHECKED) == (dimension is UNREADABLE)
    assert reads_of_values(api) == 1
