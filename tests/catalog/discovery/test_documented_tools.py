"""Operations that only an API document has: found by find_operation, run by the discovery tools, and marked as untested."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.discovery.documented_tools import read_document
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.catalog.tools.tool import Tool, ToolError
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.server.catalog import catalog_factory
from tests.api.recorder import Recorder
from tests.api.test_openapi_document import DOCUMENT

from ..caller import Caller
from ..writes.test_confirmation import ConfirmingCaller

PARSED = read_document(orjson.dumps(DOCUMENT), direct_tools())
MAKE = catalog_factory(document=PARSED)


def tools(selection: Selection = Selection()) -> dict[str, Tool]:
    return {tool.name: tool for tool in MAKE(selection, False).tools}


async def run(tool_name: str, caller: Caller, selection: Selection = Selection(), /, **arguments: Any) -> Any:
    tool = tools(selection)[tool_name]
    assert tool.argument_problems(arguments) == []
    return structured_content(await tool.run(caller, arguments))


async def test_new_operations_are_found_and_read() -> None:
    found = (await run("find_operation", Caller(Recorder()), query="show a recipe"))["operations"][0]
    assert (found["name"], found["callWith"], found["area"]) == ("get_recipe", "read_operation", "kitchen_things")
    assert found["description"].startswith("Show a recipe. Untested: ")
    assert found["description"].count("Show a recipe") == 1
    assert found["inputSchema"]["required"] == ["recipeId"]
    api = Recorder({"name": "Soup"})
    result = await run("read_operation", Caller(api), name="get_recipe", input={"recipeId": "1", "sort": "asc"})
    assert result["name"] == "Soup" and "API document" in result["untested"]
    assert api.requests == [Request("GET", "/kitchen/v1/recipes/1", {"sort": "asc"}, None)]


async def test_arguments_are_checked_before_a_request() -> None:
    api = Recorder()
    for arguments in ({}, {"recipeId": "1", "sort": "up"}, {"recipeId": "1", "sorted": "asc"}):
        with pytest.raises(ToolError, match="Invalid arguments"):
            await run("read_operation", Caller(api), name="get_recipe", input=arguments)
    with pytest.raises(ToolError, match="call_operation"):
        await run("read_operation", Caller(api), name="update_recipe", input={"recipeId": "1", "body": {"name": "x"}})
    assert api.requests == []


@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_writes_ask_the_user(action: str) -> None:
    api = Recorder(None)
    caller = ConfirmingCaller(api, action)
    call = run("call_operation", caller, name="update_recipe", input={"recipeId": "1", "body": {"name": "x"}})
    if action == "decline":
        with pytest.raises(ToolError, match="Nothing was changed"):
            await call
        assert api.requests == []
        return
    result = await call
    assert (result["status"], result["recipeId"]) == ("completed", "1") and "untested" in result
    assert "recipeId: 1" in caller.text and "outside your DoiT account" in caller.text
    assert api.requests == [Request("PATCH", "/kitchen/v1/recipes/1", {}, {"name": "x"})]
    assert api.operations[0].needs_idempotency_key


async def test_errors_say_that_the_operation_is_untested() -> None:
    api = Recorder(ApiError("no such path", kind="missing", status=404))
    with pytest.raises(ApiError) as caught:
        await run("read_operation", Caller(api), name="get_recipe", input={"recipeId": "1"})
    assert caught.value.status == 404 and caught.value.reason.startswith("no such path. Untested: ")
    assert "the API does not have this operation" in caught.value.advice


def test_new_operations_are_in_no_list() -> None:
    names = {"get_recipe", "update_recipe"}
    everything = MAKE(Selection(frozenset({"all"})), False)
    assert names.isdisjoint(tool.name for tool in (*everything.tools, *everything.unlisted_tools))
    assert tools(Selection(frozenset({"all"}))).keys() == {
        tool.name for tool in catalog_factory()(Selection(frozenset({"all"})), False).tools
    }


async def test_read_only_access_has_no_new_writes() -> None:
    reading = Selection(readonly=True)
    found = await run("find_operation", Caller(Recorder()), reading, query="recipe", limit=5)
    assert [one["name"] for one in found["operations"] if "recipe" in one["name"]] == ["get_recipe"]


def test_operations_of_the_release_are_not_replaced() -> None:
    assert "get_budget" not in {one.operation.name for one in PARSED.operations}
