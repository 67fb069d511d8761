"""The metadata that links tools and results to the view, and that describes the view to hosts."""

from __future__ import annotations

from ...protocol.jsonrpc import JsonObject
from .document import view_uri

RESULT_META_KEY = "doit/view"
"""Member of a result's ``_meta`` that names its tool, because hosts need not pass it to the view."""
WIDGET_DESCRIPTION = (
    "Shows the costs, changes, forecasts, budgets, anomalies or savings of the answer as a chart or table, with"
    " period, currency and basis."
)


def tool_view_meta() -> JsonObject:
    """Return the members of a tool's ``_meta`` that name its view: MCP Apps, its former spelling, OpenAI Apps SDK."""
    uri = view_uri()
    return {
        "ui": {"resourceUri": uri, "visibility": ["model", "app"]},
        "ui/resourceUri": uri,
        "openai/outputTemplate": uri,
    }


def has_view(tool_meta: JsonObject) -> bool:
    """Return whether this ``_meta`` of a tool names a view."""
    return "ui" in tool_meta


def result_view_meta(tool_name: str) -> JsonObject:
    """Return the ``_meta`` of a result of the tool *tool_name*, which has a view."""
    return {RESULT_META_KEY: {"tool": tool_name}}


def resource_view_meta(domain: str = "") -> JsonObject:
    """Return the ``_meta`` of the view. *domain* is the origin that a host may run it under; "" leaves it to the host.

    An empty ``csp`` declares that it loads and sends nothing.
    """
    ui: JsonObject = {"csp": {}, "prefersBorder": True}
    if domain:
        ui["domain"] = domain
    return {"ui": ui, "openai/widgetDescription": WIDGET_DESCRIPTION}
