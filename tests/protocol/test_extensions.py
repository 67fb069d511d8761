"""Extensions that a client declares in its capabilities."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.protocol.extensions import EXTENSIONS, SKILLS, TASKS, is_declared, required_capabilities
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME


@pytest.mark.parametrize(
    ("name", "capabilities", "expected"),
    [
        ("2026-07-28", {EXTENSIONS: {TASKS: {}}}, True),
        ("2026-07-28", {EXTENSIONS: {SKILLS: {}}}, False),
        ("2026-07-28", {EXTENSIONS: {}}, False),
        ("2026-07-28", {EXTENSIONS: [TASKS]}, False),
        ("2026-07-28", {EXTENSIONS: None}, False),
        ("2026-07-28", {}, False),
        ("2026-07-28", {"tasks": {"requests": {}}}, False),
        ("2025-11-25", {EXTENSIONS: {TASKS: {}}}, False),
    ],
)
def test_extension_is_declared_with_the_request(name: str, capabilities: dict[str, Any], expected: bool) -> None:
    assert is_declared(Caller(REVISIONS_BY_NAME[name], capabilities=capabilities), TASKS) is expected


def test_missing_extension_error_data_is_a_capabilities_object() -> None:
    """The error data is a capabilities object (MCP 2026-07-28, General fields, _meta)."""
    assert required_capabilities(TASKS) == {"extensions": {"io.modelcontextprotocol/tasks": {}}}
