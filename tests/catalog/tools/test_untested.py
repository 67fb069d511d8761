"""Untested tools: in no list, run only by the discovery tools, and marked wherever a model reads about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import ContentResult
from doit_mcp.catalog.tools.untested import is_untested, with_untested_note
from doit_mcp.catalog.toolsets import Selection, UnknownToolset
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.api.recorder import Recorder
from tests.catalog.caller import TOOLS, Caller
from tests.transports.http.serving import Site, serving

NAMES = {
    "list_customer_group_user_groups",
    "assign_customer_group_user_group",
    "unassign_customer_group_user_group",
}
GROUP = {"customerGroupId": "g"}
LIST = TOOLS["list_customer_group_user_groups"]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(make=catalog_factory(), api=Api()) as server:
        yield server


def test_which_tools_are_untested() -> None:
    assert {tool.name for tool in direct_tools() if is_untested(tool)} == NAMES
    assert all("Untested: " in TOOLS[name].description for name in NAMES)


@pytest.mark.parametrize("toolset", ["all", "customer_groups"])
def test_no_list_has_them(toolset: str) -> None:
    catalog = catalog_factory()(Selection(frozenset({toolset})), False)
    assert not NAMES & catalog.tools_by_name.keys() and len(catalog.tools) >= 8
    with pytest.raises(UnknownToolset, match="list_customer_group_user_groups"):
        catalog_factory()(Selection(tools=frozenset({"list_customer_group_user_groups"})), False)


async def test_only_discovery_tools_run_them(site: Site) -> None:
    assert (await site.call(LIST.name, GROUP)).error["code"] == -32602
    found = await site.call("find_operation", {"query": "customer group user groups", "limit": 5})
    described = {one["name"]: one for one in found.result["structuredContent"]["operations"]}
    assert "Untested: " in described[LIST.name]["description"]
    groups = (await site.call("list_customer_groups")).result["structuredContent"]["customerGroups"]
    arguments = {"name": LIST.name, "input": {"customerGroupId": groups[0]["id"]}}
    result = (await site.call("call_operation", arguments)).result["structuredContent"]
    assert result["userGroups"] and "path" in result["untested"]


async def test_errors_say_so() -> None:
    for reason in ("", "group not found."):
        with pytest.raises(ApiError) as caught:
            await LIST.run(Caller(Recorder(ApiError(reason, kind="missing", status=404))), GROUP)
        assert "Untested: No published API document has the path" in caught.value.reason
        assert caught.value.reason.startswith(reason.rstrip("."))


async def test_results_with_own_blocks_say_so() -> None:
    async def run(call: object, arguments: object) -> ContentResult:
        return ContentResult([{"type": "text", "text": "x"}])

    bare = replace(LIST, run=run)
    result = await with_untested_note(bare).run(Caller(Recorder()), {})
    assert isinstance(result, ContentResult) and result.blocks[-1]["text"].startswith("Untested: ")
    assert with_untested_note(TOOLS["list_customer_groups"]) is TOOLS["list_customer_groups"]
