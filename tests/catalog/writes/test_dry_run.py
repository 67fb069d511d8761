"""Dry runs: every result says that it is one, also where the API's response looks like that of a write."""

from __future__ import annotations

import pytest

from doit_mcp.api.operation import Request
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api.recorder import Recorder

from ..caller import run
from ..conftest import Ask
from ..examples import objects, with_change

TRYING = [tool for tool in direct_tools() if tool.writes and "dryRun" in tool.accepted_schema["properties"]]
"""Runs of queries and reports are reads: their dry runs have a status of the API."""


def respond(request: Request) -> JsonObject:
    return {"id": "x", "name": "n", "etag": "v1", "valid": True, "status": "active"}


@pytest.mark.parametrize("tool", TRYING, ids=lambda tool: tool.name)
async def test_result_of_a_dry_run_says_so(tool: Tool) -> None:
    arguments = with_change(tool, next(objects(tool.accepted_schema)))
    if "id" in tool.accepted_schema["properties"]:
        # Some tools take a name instead.
        arguments = {"id": "x", **arguments}
    api = Recorder(respond)
    api.tenant = "c"
    result = await run(tool, api, **{**arguments, "dryRun": True})
    assert result["dryRun"] is True


async def test_dry_run_of_a_change_to_a_service_account(ask: Ask) -> None:
    account = await ask("create_service_account", name="reports")
    shown = await ask("update_service_account", id=account["id"], description="Trial", dryRun=True)
    assert (shown["dryRun"], shown["description"]) == (True, "Trial")
    assert "dryRun" not in await ask("update_service_account", id=account["id"], name="reports 2", dryRun=False)
    assert (await ask("get_service_account", id=account["id"]))["description"] == ""
