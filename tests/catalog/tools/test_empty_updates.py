"""Updates that would change nothing are rejected before any confirmation or request."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS
from doit_mcp.catalog.registry import direct_tools
from doit_mcp.catalog.tools.tool import Tool, ToolError
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller, run

UPDATES = [tool for tool in direct_tools() if tool.changes is not None]
OPERATIONS = {row.name: row for area in AREAS.values() for row in area.operations}


def identifying_arguments(tool: Tool) -> dict[str, Any]:
    """The arguments that identify the object to update."""
    changes = tool.changes.names if tool.changes is not None else ()
    updates: dict[str, Any] = {}
    for name, schema in tool.input_schema["properties"].items():
        if name not in changes and (name in tool.input_schema.get("required", ()) or name == "id"):
            updates[name] = schema["enum"][0] if "enum" in schema else 7 if schema["type"] == "integer" else "x1"
    return updates


@pytest.mark.requirement("N18")
def test_n18_every_update_requires_a_change() -> None:
    """Either the schema requires one, or the tool refuses to run without one."""
    for tool in direct_tools():
        row = OPERATIONS.get(tool.name)
        if row is None or row.read_only or not (row.method in ("PATCH", "PUT") or tool.name.startswith("assign_")):
            continue
        if not row.has_body:
            # All that it says is in the path.
            continue
        required = set(tool.input_schema.get("required", ()))
        assert tool.changes is not None or required - set(row.placeholders) - {"id"}, tool.name
    assert {tool.name for tool in UPDATES} >= {
        *("update_label", "update_user", "update_theme", "update_datahub_dataset", "assign_objects_to_label"),
        *("update_report", "update_budget", "update_allocation", "update_annotation", "update_folder"),
        *("update_customer", "update_asset", "update_ticket", "update_resource_permissions"),
    }


@pytest.mark.requirement("N18")
@pytest.mark.parametrize("tool", UPDATES, ids=lambda tool: tool.name)
async def test_n18_update_without_a_change_is_rejected(tool: Tool) -> None:
    api = Recorder()
    arguments = identifying_arguments(tool)
    assert tool.argument_problems(arguments) == [] and tool.changes is not None
    with pytest.raises(ToolError, match="^Nothing to change: pass at least one of ") as refused:
        await tool.run(Caller(api), arguments)
    assert all(name in str(refused.value) for name in tool.changes.names)
    assert api.requests == []


@pytest.mark.requirement("N18")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("assign_objects_to_label", {"id": "l", "add": [], "remove": []}),
        ("update_customer", {"settings": {}, "contact": {}}),
        ("update_label", {"id": "l", "name": None}),
        ("update_report", {"id": "r", "config": {}}),
    ],
)
async def test_n18_ineffective_empty_values_are_not_a_change(name: str, arguments: Any) -> None:
    api = Recorder()
    with pytest.raises(ToolError, match="Nothing to change"):
        await run(name, api, **arguments)
    assert api.requests == []


@pytest.mark.requirement("N18")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("update_annotation", {"id": "a", "labels": []}),
        ("update_customer", {"customerId": "c", "contact": {"emails": []}}),
        ("update_label", {"id": "l", "color": "blue"}),
    ],
)
async def test_n18_clearing_values_is_a_change(name: str, arguments: Any) -> None:
    api = Recorder()
    await TOOLS[name].run(Caller(api), arguments)
    assert [request.method for request in api.requests] == ["GET", "PATCH"]
