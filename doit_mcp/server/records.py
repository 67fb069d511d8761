"""Records of tool calls: for the request's log line, the metrics, and the audit log of what was changed."""

from __future__ import annotations

import logging

from ..catalogue.tools import Tool
from ..trace import CURRENT
from .context import Context

# Who changed what, for whom, and what became of it: one line for every write, by itself.
audit = logging.getLogger("doit_mcp.audit")


def switched(context: Context, customer: str, how: str) -> None:
    """An employee acts for *customer*: in one call, or from now on in a session (security C2)."""
    said = {"customer": customer, "how": how, "principal": context.owner[:12]}
    trace = CURRENT.get()
    if trace is not None:
        said |= {"before": trace.customer, "trace": trace.id}
        trace.customer = customer
    audit.info("act for", extra=said)


def record(context: Context, tool: Tool, outcome: str, seconds: float) -> None:
    """A call of *tool* ended: "ok", "error" (the result says so) or the name of what was raised."""
    trace = CURRENT.get()
    if trace is not None:
        trace.tool, trace.failed = tool.name, outcome != "ok"
    context.shared.tool_called(tool.name, outcome != "ok", seconds)
    if tool.writes:
        said = {"tool": tool.name, "outcome": outcome, "principal": context.owner[:12]}
        if trace is not None:
            said |= {"customer": trace.customer, "trace": trace.id}
        audit.info("write", extra=said)
