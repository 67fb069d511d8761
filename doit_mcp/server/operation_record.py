"""Records MCP requests and tool calls for the request log, the metrics and the traces."""

from __future__ import annotations

import time
from contextvars import Token

from ..catalog.tools.tool import Tool
from ..observability.trace import (
    CURRENT_OPERATION,
    CURRENT_TRACE,
    MAX_REQUEST_ID_CHARACTERS,
    McpFields,
    Operation,
    OperationFields,
    Trace,
    read_traceparent,
)
from ..protocol.jsonrpc import Request
from .request_context import RequestContext, Services

# Error types besides the codes of JSON-RPC. The first is from OpenTelemetry's semantic conventions for MCP.
TOOL_ERROR, CANCELED = "tool_error", "canceled"
METHODS_WITH_TARGET = frozenset({"tools/call", "prompts/get"})


def begin_operation(trace: Trace | None, meta: object) -> Token[Operation | None] | None:
    """Continue the caller's trace in *meta*, the ``_meta`` of a request, if it has one.

    Return the token that resets CURRENT_OPERATION, or None if there is no such trace.
    """
    caller = read_traceparent(meta["traceparent"]) if isinstance(meta, dict) and "traceparent" in meta else None
    if caller is None:
        return None
    start = None if trace is None else trace.start_operation
    return CURRENT_OPERATION.set(Operation(caller.trace_id, caller.flags) if start is None else start(caller))


def end_operation(context: RequestContext, request: Request, method: str, error_type: str, started: float) -> None:
    """Record the end of *request*, which *started* at this time of time.perf_counter, in seconds.

    *method* is a known method or "other", and *error_type* is "" if it succeeded.
    """
    tool = prompt = ""
    if method in METHODS_WITH_TARGET and isinstance(name := request.params.get("name"), str):
        if method == "prompts/get":
            prompt = name if name in context.catalog.prompts_by_name else ""
        elif (called := context.catalog.find_tool(name)) is not None:
            tool = called.name
    fields = method, tool, prompt, error_type, context.caller.revision.name
    record_operation(context.services, fields, started, request.id)


def record_operation(services: Services, fields: OperationFields, started: float, request_id: object = None) -> None:
    """Record the end of a request or notification, which *started* at this time of time.perf_counter, in seconds.

    *request_id* is None for notifications.
    """
    services.call_metrics.count_operation(fields, time.perf_counter() - started)
    trace = CURRENT_TRACE.get()
    # Only if spans are exported.
    if trace is not None and trace.start_operation is not None:
        operation = CURRENT_OPERATION.get()
        ended = McpFields(*fields, "" if request_id is None else str(request_id)[:MAX_REQUEST_ID_CHARACTERS])
        if operation is not None and operation.on_end is not None:
            operation.on_end(ended)
        else:
            trace.mcp = ended


def record_tool_call(
    context: RequestContext,
    tool: Tool,
    failed: bool,
    seconds: float,
    characters: int | None = None,
    truncated: bool = False,
) -> None:
    """Record the end of a call of *tool*. It *failed* if its result is an error or an exception was raised.

    *characters* is the length of its result, None without one, and *truncated* whether parts of it were left out.
    """
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.tool, trace.failed = tool.name, failed
    context.services.call_metrics.count_tool_call(
        tool.name, context.caller.client_info, failed, seconds, characters, truncated
    )
