"""Records tool calls for the request log and the metrics."""

from __future__ import annotations

from ..catalog.tools.tool import Tool
from ..observability.trace import CURRENT_TRACE
from .request_context import RequestContext


def record_tool_call(context: RequestContext, tool: Tool, failed: bool, seconds: float) -> None:
    """Record the end of a call of *tool*. It *failed* if its result is an error or an exception was raised."""
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.tool, trace.failed = tool.name, failed
    context.services.on_tool_called(tool.name, failed, seconds)
