"""Answers with many rows are computed in the thread, so that they do not block the event loop; small ones are not."""

from __future__ import annotations

from importlib import import_module
from threading import current_thread
from typing import Any

import pytest

from doit_mcp.api.operation import Request
from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.resilience.compute_thread import MAX_INLINE_ROWS
from tests.api.recorder import Recorder

from .caller import TOOLS, Caller, run

LARGE = MAX_INLINE_ROWS + 1
ANOMALY = {"id": "a", "scope": "project_name 3", "status": "active", "costOfAnomaly": 1.0}
COSTS = {"cost": 0.5, "usage": 2.0, "orders": 4.0}


def api(count: int) -> Recorder:
    """Return an API whose lists, and queries by anything but cloud, have *count* rows."""

    def answer(request: Request) -> Any:
        if "/query" in request.path:
            return {"result": table((request.body or {})["config"])}
        rows: list[Any] = [
            {"source": "s", "key": str(n), "cloudProvider": "aws", "summary": {"potentialDailySavings": 1.0 + n}}
            for n in range(count)
        ]
        return {
            "dimensions": [{"id": "team", "type": "label"}],
            "anomalies": [ANOMALY],
            "results": rows,
        }

    def table(config: dict[str, Any]) -> dict[str, Any]:
        groups = [group["id"] for group in config.get("group", ())]
        times = {"year": ["2026"], "month": ["2026", "08"], "day": ["2026", "08", "05"]}[config["timeInterval"]]
        metrics = [metric["value"] for metric in config["metrics"]]
        size = 1 if set(groups) <= {"cloud_provider"} else count
        rows = [
            [*(cell(group, n) for group in groups), *times, *(COSTS[metric] for metric in metrics)] for n in range(size)
        ]
        names = [*groups, *("year", "month", "day")[: len(times)], *metrics]
        return {"schema": [{"name": name, "type": "string"} for name in names], "rows": rows}

    return Recorder(answer)


def cell(group: str, number: int) -> str:
    return {"cloud_provider": "google-cloud", "pricing_unit": "1K tokens"}.get(group, f"{group} {number}")


STEPS = {
    "ai_spend": ({}, "costs.ai_spend", ("read_ai_lines", "make_ai_spend")),
    "allocation_coverage": ({"by": "label:team"}, "costs.allocation_coverage", ("make_coverage",)),
    "cost_breakdown": ({"groupBy": "project"}, "costs.breakdown", ("make_breakdown",)),
    "cost_trend": ({"groupBy": "project", "period": "2026-08"}, "costs.trends", ("make_trend",)),
    "get_cloud_overview": ({}, "costs.overview", ("sum_by_groups", "make_overview")),
    "unit_cost": ({"metric": "orders", "groupBy": "project"}, "unit_costs.unit_cost", ("make_unit_cost",)),
    "get_anomalies": ({}, "anomalies.owners", ("sum_labeled_costs",)),
    "get_savings_summary": ({}, "savings.opportunities", ("_make_lists",)),
}


@pytest.mark.parametrize("tool", STEPS)
@pytest.mark.parametrize("is_large", [True, False])
async def test_many_rows_are_computed_in_the_thread(tool: str, is_large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, path, functions = STEPS[tool]
    module = import_module(f"doit_mcp.catalog.{path}")
    threads: dict[str, set[str]] = {}

    def note_calls(name: str) -> Any:
        function = getattr(module, name)

        def note_thread(*given: Any, **named: Any) -> Any:
            threads.setdefault(name, set()).add(current_thread().name)
            return function(*given, **named)

        return note_thread

    for name in functions:
        monkeypatch.setattr(module, name, note_calls(name))
    result = await run(tool, api(LARGE if is_large else 10), **arguments)
    assert result and set(threads) == set(functions)
    for name in functions:
        assert ("heavy" in threads[name]) is is_large, name


async def test_names_of_many_projects_are_found_by_either_form() -> None:
    recorder = api(LARGE)
    by_name = await run("get_anomalies", recorder)
    assert by_name["anomalies"][0]["project"] == {"id": "project_id 3", "name": "project_name 3"}
    assert by_name["anomalies"][0]["owner"]["name"] == "team 3"


async def test_names_of_20_000_projects_are_read_once() -> None:
    recorder = api(20_000)
    caller = Caller(recorder)
    for _ in range(3):
        (row,) = structured_content(await TOOLS["get_anomalies"].run(caller, {}))["anomalies"]
        assert row["project"]["id"] == "project_id 3"
    queries = [request.body["config"]["group"] for request in recorder.requests if request.body]
    assert sum({"id": "project_name", "type": "fixed"} in groups for groups in queries) == 1
