"""The tools that have the view, and the metadata that names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.stores.approvals import ConfirmationPolicy
from doit_mcp.catalog.tools.tool import Tool
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.catalog.views.document import view_uri
from doit_mcp.catalog.views.metadata import resource_view_meta
from doit_mcp.catalog.writes.confirmation import can_confirm
from doit_mcp.server.catalog import catalog_factory

WITH_VIEW = {
    "get_cloud_overview",
    "cost_breakdown",
    "cost_trend",
    "compare_spend",
    "explain_cost_change",
    "forecast_spend",
    "list_budgets",
    "get_budget",
    "get_anomalies",
    "get_anomaly",
    "run_query",
    "get_report_results",
    "get_savings_summary",
    "call_operation",
    "confirm_action",
}
MAX_TOOL_BYTES = 210
"""What the view adds to the list entry of a tool."""


def view_members(meta: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in meta.items() if name in ("ui", "ui/resourceUri", "openai/outputTemplate")}


def test_the_tools_with_a_view() -> None:
    assert {tool.name for tool in all_tools() if tool.facts.get("view")} == WITH_VIEW


@pytest.mark.parametrize(
    ("policy", "has_card"),
    [("when-destructive", can_confirm), ("always", lambda tool: tool.writes), ("never", lambda tool: False)],
)
def test_exactly_these_tools_name_the_view(policy: ConfirmationPolicy, has_card: Callable[[Tool], bool]) -> None:
    expected = {
        "ui": {"resourceUri": view_uri(), "visibility": ["model", "app"]},
        "ui/resourceUri": view_uri(),
        "openai/outputTemplate": view_uri(),
    }
    for tool in catalog_factory(confirm_changes=policy)(Selection(frozenset({"all"})), False).tools:
        members = view_members(tool.meta)
        # Those whose changes may wait show the change for approval.
        has_view = tool.name in WITH_VIEW or has_card(tool)
        assert members == (expected if has_view else {}), tool.name
        assert len(orjson.dumps(members)) <= MAX_TOOL_BYTES


def test_the_view_declares_that_it_loads_nothing() -> None:
    assert resource_view_meta()["ui"] == {"csp": {}, "prefersBorder": True}
    assert resource_view_meta("https://mcp.example")["ui"]["domain"] == "https://mcp.example"
    assert resource_view_meta()["openai/widgetDescription"].endswith(".")
