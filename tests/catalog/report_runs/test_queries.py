"""Queries and saved reports of clients that do not wait for minutes: the error names the tool for long ones."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError, explain
from doit_mcp.catalog.report_runs.queries import UNAVAILABLE_FACT
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller

QUERY = {"dataSource": "billing", "timeRange": {"mode": "last", "amount": 1, "unit": "year", "includeCurrent": True}}
CUT_OFF = [("timeout", None), ("fault", 504), ("fault", 524)]
CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("run_query", {"config": {**QUERY, "currency": "USD"}}, "start_query_run"),
    ("get_report_results", {"id": "r1"}, "start_report_run"),
]


async def explained(name: str, arguments: dict[str, Any], error: ApiError, *facts: str) -> str:
    """The explanation of the error of a call, if requests fail with *error* and these *facts* are known."""
    caller = Caller(Recorder(error))
    for fact in facts:
        caller.facts.put(fact, True)
    with pytest.raises(ApiError) as caught:
        await TOOLS[name].run(caller, TOOLS[name].parse_arguments(arguments)[0])
    return explain(caught.value, name)


@pytest.mark.parametrize(("kind", "status"), CUT_OFF)
@pytest.mark.parametrize(("name", "arguments", "start_tool"), CALLS)
async def test_cut_off_report_names_the_tool_for_long_ones(
    name: str, arguments: dict[str, Any], start_tool: str, kind: Any, status: int | None
) -> None:
    assert start_tool in TOOLS
    text = await explained(name, arguments, ApiError("", kind=kind, status=status))
    assert f"{start_tool} runs it in the background" in text and "Wait a minute" not in text
    # One advice, which also works where the tools are not listed.
    assert "Ask for less" not in text and "read_operation" in text and not TOOLS[start_tool].writes


@pytest.mark.parametrize(("name", "arguments", "start_tool"), CALLS)
async def test_other_errors_and_accounts_without_runs_name_no_tool(
    name: str, arguments: dict[str, Any], start_tool: str
) -> None:
    assert start_tool not in await explained(name, arguments, ApiError("", kind="fault", status=500))
    assert start_tool not in await explained(name, arguments, ApiError("", kind="timeout"), UNAVAILABLE_FACT)
