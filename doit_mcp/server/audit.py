"""The audit log: who changed what, for which customer, and what became of it. One line for every attempt, none for
reads; docs/operations/observability.rst explains the fields."""

from __future__ import annotations

import logging
from typing import Any, Literal

from ..api.effects import EFFECTS, Effects
from ..api.errors import ApiError
from ..catalog.call import Call, CallSuspended
from ..catalog.tools.tool import ContentResult, Declined, Tool, ToolError
from ..catalog.writes.affected_objects import MAX_IDENTIFIERS, extract_identifiers
from ..observability.logging_setup import is_audit_log_working
from ..observability.trace import CURRENT_TRACE
from ..protocol.jsonrpc import JsonObject
from .request_context import RequestContext

audit_log = logging.getLogger("doit_mcp.audit")

Outcome = Literal[
    "done",  # the API carried it out
    "dry_run",  # the API said what would happen
    "repeated",  # not carried out: an equal call was, or may have been, a moment ago
    "declined",  # the user was asked and did not agree
    "refused",  # the API, or the sign-in to it, refused
    "not_sent",  # it ended before anything was sent
    "unknown",  # sent, and it is not known whether, or how much of it, was carried out
]

AUDIT_LOG_UNAVAILABLE = (
    "Nothing was changed: the audit log cannot be written at the moment, and this server makes no changes without it."
    " Reading still works. Try again later."
)


def record_customer_change(context: RequestContext, customer: str, scope: Literal["call", "session"]) -> None:
    """An employee acts for *customer*: in one call, or from now on in a session."""
    said = _caller_fields(context) | {"customer": customer, "before": context.tenant, "how": scope}
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.customer = customer
        said["trace"] = trace.id
    audit_log.info("act for", extra=said)


async def run_with_audit(
    context: RequestContext, tool: Tool, call: Call, arguments: JsonObject
) -> JsonObject | ContentResult:
    """What *tool*, which writes, answers. Whatever ends it is recorded; a round that only asks does not end it."""
    effects = Effects()
    token = EFFECTS.set(effects)
    try:
        if context.services.audit_required and not await is_audit_log_working():
            raise ToolError(AUDIT_LOG_UNAVAILABLE)
        result = await tool.run(call, arguments)
    except CallSuspended:
        raise
    except BaseException as failure:
        record_attempt(context, tool, arguments, _classify_failure(failure, effects))
        raise
    finally:
        EFFECTS.reset(token)
    outcome: Outcome = "dry_run" if arguments.get("dryRun") is True else "done"
    record_attempt(context, tool, arguments, "repeated" if effects.repeated else outcome, result)
    return result


def record_attempt(
    context: RequestContext,
    tool: Tool,
    arguments: JsonObject,
    outcome: Outcome = "not_sent",
    result: JsonObject | ContentResult | None = None,
) -> None:
    """An attempt to change something has ended; nothing is recorded of tools that only read."""
    if not tool.writes:
        return
    answer = result.structured if isinstance(result, ContentResult) else result
    about = affected_objects(tool, arguments, answer or {})
    said = _caller_fields(context) | {"tool": tool.name, "objects": about, "outcome": outcome}
    if (trace := CURRENT_TRACE.get()) is not None:
        said["trace"] = trace.id
    audit_log.info("write", extra=said)


def _classify_failure(failure: BaseException, effects: Effects) -> Outcome:
    if effects.repeated:
        return "repeated"
    # What was done before a later request failed is a part, and a part is not the whole.
    if effects.applied or effects.maybe_applied or (isinstance(failure, ApiError) and failure.maybe_applied):
        return "unknown"
    if isinstance(failure, Declined):
        return "declined"
    # A tool may say a refusal in words of its own.
    cause = failure.__cause__ if isinstance(failure, ToolError) else failure
    return "refused" if isinstance(cause, ApiError) and cause.status is not None else "not_sent"


def _caller_fields(context: RequestContext) -> dict[str, Any]:
    """The caller by name, which no other log says, and the customer that the call is for."""
    said: dict[str, Any] = {"principal": context.owner[:12]}
    if (actor := context.actor) is not None:
        named = {"subject": actor.subject, "email": actor.email, "token": actor.token_label}
        said |= {name: value for name, value in named.items() if value}
    return said | {"customer": context.tenant}


def affected_objects(tool: Tool, arguments: JsonObject, answer: JsonObject) -> dict[str, Any]:
    """What a call is about: the identifiers among its *arguments*, and those of the *answer* that come on top."""
    # Arguments that were refused may have any name.
    known = {name: arguments[name] for name in tool.input_schema.get("properties", {}) if name in arguments}
    return dict(list(extract_identifiers(known, answer).items())[:MAX_IDENTIFIERS])
