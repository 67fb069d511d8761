"""Records of tool calls: for the request's log line and the metrics."""

from __future__ import annotations

from ..catalog.tools.tool import Tool
from ..observability.trace import CURRENT_TRACE
from .request_context import RequestContext


def record_tool_call(context: RequestContext, tool: Tool, failed: bool, seconds: float) -> None:
    """A call of *tool* ended; it *failed* if its result says so or something was raised."""
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.tool, trace.failed = tool.name, failed
    context.services.on_tool_called(tool.name, failed, seconds)
