"""Records of tool calls: for the request's log line, the metrics, and the audit log of what was changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from ..catalogue.call import CannotAsk, Interrupted
from ..catalogue.tools import Tool
from ..protocol.jsonrpc import JsonObject
from ..trace import CURRENT
from .context import Context

# Who changed what, for whom, and what became of it: one line for every write, by itself.
audit = logging.getLogger("doit_mcp.audit")


async def recorded(context: Context, tool: Tool, run: Callable[[], Awaitable[JsonObject]]) -> JsonObject:
    """The result of *run*, which is a call of *tool*. Rounds that only ask are not counted; the one that ends it is."""
    started = time.perf_counter()
    try:
        result = await run()
    except (Interrupted, CannotAsk):
        raise
    except BaseException as failure:
        _record(context, tool, type(failure).__name__, time.perf_counter() - started)
        raise
    _record(context, tool, "error" if result.get("isError") else "ok", time.perf_counter() - started)
    return result


def switched(context: Context, customer: str, how: str) -> None:
    """An employee acts for *customer*: in one call, or from now on in a session (security C2)."""
    said = {"customer": customer, "how": how, "principal": context.owner[:12]}
    trace = CURRENT.get()
    if trace is not None:
        said |= {"before": trace.customer, "trace": trace.id}
        trace.customer = customer
    audit.info("act for", extra=said)


def _record(context: Context, tool: Tool, outcome: str, seconds: float) -> None:
    trace = CURRENT.get()
    if trace is not None:
        trace.tool, trace.failed = tool.name, outcome != "ok"
    context.shared.tool_called(tool.name, outcome != "ok", seconds)
    if tool.writes:
        said = {"tool": tool.name, "outcome": outcome, "principal": context.owner[:12]}
        if trace is not None:
            said |= {"customer": trace.customer, "trace": trace.id}
        audit.info("write", extra=said)
