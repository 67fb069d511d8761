"""Records of tool calls: for the request's log line and the metrics."""

from __future__ import annotations

from ..catalog.tools.tool import Tool
from ..observability.trace import CURRENT
from .request_context import Context


def record(context: Context, tool: Tool, failed: bool, seconds: float) -> None:
    """A call of *tool* ended; it *failed* if its result says so or something was raised."""
    if (trace := CURRENT.get()) is not None:
        trace.tool, trace.failed = tool.name, failed
    context.shared.tool_called(tool.name, failed, seconds)
