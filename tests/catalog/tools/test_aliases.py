"""Old names: each reaches a tool, and is none itself."""

from __future__ import annotations

from doit_mcp.catalog.tools.aliases import TOOL_ALIASES

from ..caller import TOOLS


def test_old_names_reach_tools_and_are_none() -> None:
    assert set(TOOL_ALIASES.values()) <= TOOLS.keys() and not TOOL_ALIASES.keys() & TOOLS.keys()
