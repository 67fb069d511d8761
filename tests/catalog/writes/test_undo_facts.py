"""Each tool that writes says how to undo its calls, or why nothing does."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.writes.reversibility import cannot_be_undone
from doit_mcp.catalog.writes.state_reader import find_reader
from doit_mcp.catalog.writes.undo import find_undo

TOOLS = {tool.name: tool for tool in direct_tools()}
WRITES = [tool for tool in TOOLS.values() if tool.writes]
CONVERSATIONS = {"ask_ava_streaming"}
"""Writes that only store a conversation, which delete_ava_conversation deletes."""


@pytest.mark.parametrize("tool", WRITES, ids=lambda tool: tool.name)
def test_each_write_has_an_undo_or_a_reason(tool: Tool) -> None:
    reader = find_reader(tool, TOOLS)
    has_undo = find_undo(tool, reader, TOOLS) is not None and "no_undo" not in tool.facts
    assert has_undo or "no_undo" in tool.facts or tool.name in CONVERSATIONS, (
        "needs restore_with=, undo_with= or no_undo="
    )


@pytest.mark.parametrize("tool", [tool for tool in WRITES if "no_undo" in tool.facts], ids=lambda tool: tool.name)
def test_reasons_name_tools_that_exist(tool: Tool) -> None:
    words = tool.facts["no_undo"].replace(".", " ").replace(",", " ").split()
    named = {word for word in words if "_" in word}
    assert named <= TOOLS.keys(), named
    assert tool.facts["no_undo"].endswith(".")


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool.deletes], ids=lambda tool: tool.name)
def test_final_deletions_lose_what_no_tool_creates(tool: Tool) -> None:
    """A deletion is final only if the tool that creates such objects does not take all that the user set."""
    creating = TOOLS.get(tool.name.replace("delete_", "create_", 1))
    reader = find_reader(tool, TOOLS)
    if not cannot_be_undone(tool) or creating is None or reader is None:
        return
    assert tool.name in {
        # Its events are lost.
        "delete_datahub_dataset",
        # Its folders are lost, and its contents move.
        "delete_folder",
        # Its tokens are lost, and a token's secret is shown only once.
        "delete_service_account",
        "delete_service_account_token",
    }
