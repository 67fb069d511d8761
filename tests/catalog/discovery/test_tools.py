"""find_operation, read_operation and call_operation: their results, and which operations they run."""

from __future__ import annotations

import orjson
import pytest

from doit_mcp.api.operation import Request
from doit_mcp.catalog.discovery.ranking import ToolFinder
from doit_mcp.catalog.discovery.tools import read_only_tool, search_operations, tool_by_name, with_discovery
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.catalog.toolsets import Selection, select_callable_tools
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller, run

FINDER = ToolFinder(direct_tools())
READING = select_callable_tools(direct_tools(), Selection(readonly=True))


async def test_search_results_can_be_called_as_described() -> None:
    result = await run("find_operation", Recorder(), query="create a label")
    first = result["operations"][0]
    assert first["name"] == "create_label" and first["callWith"] == "call_operation"
    assert first["inputSchema"] == TOOLS["create_label"].input_schema and first["destructive"] is False
    assert first["reachesOutside"] is False and first["area"] == "labels" and first["description"]
    assert len(result["operations"]) == 3 and {operation["area"] for operation in result["operations"]} == {"labels"}
    assert 0 < len(result["more"]) <= 10


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("AI cost", "ai_spend"),
        ("AI models", "ai_spend"),
        ("unit cost", "unit_cost"),
        ("untagged cost", "allocation_coverage"),
        ("weekly digest", "weekly_digest"),
        ("Monday summary of last week", "weekly_digest"),
    ],
)
async def test_subjects_of_the_instructions_lead_to_their_tools(subject: str, name: str) -> None:
    result = await run("find_operation", Recorder(), query=subject)
    assert name in [operation["name"] for operation in result["operations"]]


async def test_read_operations_are_marked() -> None:
    result = await run("find_operation", Recorder(), query="labels", access="read", limit=5)
    assert {operation["callWith"] for operation in result["operations"]} == {"read_operation"}
    assert all("destructive" not in operation for operation in result["operations"])
    result = await run("find_operation", Recorder(), query="labels", access="write", area="labels", limit=5)
    assert {(operation["callWith"], operation["area"]) for operation in result["operations"]} == {
        ("call_operation", "labels")
    }


@pytest.mark.parametrize("query", ["budget", "report create", "list", "cost", "delete"])
def test_result_is_bounded(query: str) -> None:
    assert len(orjson.dumps(search_operations(FINDER, query, None, None, 5))) < 30_000


def test_empty_result_suggests_a_next_step() -> None:
    result = search_operations(FINDER, "xyzzy", None, None, 3)
    assert result["operations"] == [] and "other or fewer words" in result["hint"] and "budgets" in result["hint"]


def test_unknown_area_is_rejected_with_the_available_ones() -> None:
    with pytest.raises(ToolError, match='"nothing" is an unknown toolset. Available: .*budgets'):
        search_operations(FINDER, "labels", "nothing", None, 3)


async def test_read_tool_runs_the_operation_with_its_arguments() -> None:
    api = Recorder({"labels": [{"id": "l"}]})
    result = await run("read_operation", api, name="list_labels", arguments={"maxResults": "5"})
    assert result["labels"] == [{"id": "l"}] and api.requests[0].query == {"maxResults": "5"}
    await run("read_operation", api, name="list_labels")
    assert api.requests[1] == Request("GET", "/analytics/v1/labels", {"maxResults": "500"}, None)


async def test_read_tool_rejects_writes() -> None:
    api = Recorder()
    with pytest.raises(ToolError, match="delete_budget changes something: .* run it with call_operation"):
        await run("read_operation", api, name="delete_budget", arguments={"id": "b"})
    assert api.requests == []


async def test_call_tool_runs_reads_and_writes() -> None:
    api = Recorder({})
    await run("call_operation", api, name="delete_label", arguments={"id": "l/1"})
    await run("call_operation", api, name="get_label", arguments={"id": "l"})
    # The former state is read for the undo call of the deletion.
    assert [(request.method, request.path) for request in api.requests] == [
        ("GET", "/analytics/v1/labels/l%2F1"),
        ("DELETE", "/analytics/v1/labels/l%2F1"),
        ("GET", "/analytics/v1/labels/l"),
    ]


async def test_arguments_are_validated_against_the_operations_schema() -> None:
    api = Recorder()
    with pytest.raises(ToolError, match="Invalid arguments: nmae: is unknown.*id: is required"):
        await run("call_operation", api, name="delete_label", arguments={"nmae": "x"})
    assert api.requests == []


def test_former_names_work_and_unknown_names_get_a_suggestion() -> None:
    assert tool_by_name(FINDER, "id_of_asset").name == "update_asset"
    with pytest.raises(ToolError, match="unknown operation .*did you mean .*list_budgets.*find_operation"):
        tool_by_name(FINDER, "budgets_list")
    with pytest.raises(ToolError, match="unknown operation .*; search with find_operation"):
        tool_by_name(FINDER, "zzzzqqq")


@pytest.mark.parametrize("name", ["find_operation", "read_operation", "call_operation"])
def test_discovery_tools_do_not_call_themselves(name: str) -> None:
    with pytest.raises(ToolError, match="unknown operation"):
        tool_by_name(FINDER, name)


def test_read_only_catalog_has_no_write_tool() -> None:
    tools = {tool.name: tool for tool in with_discovery(READING)}
    assert "call_operation" not in tools and not any(tool.writes for tool in tools.values())
    with pytest.raises(ToolError, match="unknown operation"):
        read_only_tool(ToolFinder(READING), "delete_budget")
    operations = search_operations(ToolFinder(READING), "budget", None, None, 5)["operations"]
    assert {operation["callWith"] for operation in operations} == {"read_operation"}


def test_hints_match_behavior() -> None:
    worst = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
    assert TOOLS["call_operation"].annotations == worst and TOOLS["call_operation"].writes
    for name in ("find_operation", "read_operation"):
        assert TOOLS[name].annotations["readOnlyHint"] and not TOOLS[name].annotations["destructiveHint"]
    assert not any(tool.writes for tool in READING)


@pytest.mark.parametrize("name", ["read_operation", "call_operation"])
def test_wrapper_tools_resolve_their_target(name: str) -> None:
    stands_for = TOOLS[name].resolve_target
    assert stands_for is not None
    tool, target_arguments = stands_for({"name": "get_label", "input": {"id": 1}})
    assert tool is TOOLS["get_label"] and target_arguments == {"id": 1}
    assert stands_for({"name": "get_label"})[1] == {}


async def test_search_makes_no_requests() -> None:
    caller = Caller(Recorder(AssertionError("asked")))
    assert await TOOLS["find_operation"].run(caller, {"query": "users"})


async def test_topics_without_an_operation_of_their_own_have_a_hint() -> None:
    result = await run("find_operation", Recorder(), query="Kubernetes namespaces")
    assert result["operations"][0]["name"] == "run_query" and "aws:eks:namespace" in result["hint"]
    assert "hint" not in await run("find_operation", Recorder(), query="invite a user")
