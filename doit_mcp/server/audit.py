"""The audit log: who changed what, for which customer, and with which outcome.

Every attempt to change something has one line; reads have none. docs/operations/observability.rst explains the fields.
"""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import Any, Literal

from ..api.effects import EFFECTS, Effects
from ..api.errors import ApiError
from ..catalog.call import Call, CallSuspended
from ..catalog.tools.series import ResultWithSeries
from ..catalog.tools.tool import APPROVAL_ARGUMENT, ContentResult, Declined, Tool, ToolError, ToolResult
from ..catalog.writes.affected_objects import MAX_IDENTIFIERS, extract_identifiers
from ..catalog.writes.approval_result import is_prepared
from ..catalog.writes.cancellation import CANCELED
from ..observability.logging_setup import is_audit_log_working
from ..observability.trace import CURRENT_TRACE
from ..protocol.jsonrpc import JsonObject
from .approval_tokens import HANDLE_CHARACTERS
from .request_context import RequestContext

audit_log = logging.getLogger("doit_mcp.audit")

Outcome = Literal[
    "done",  # the API made the change
    "prepared",  # not made yet: the user can approve it
    "dry_run",  # the API described the change without making it
    "repeated",  # not sent again: an equal call succeeded, or may have succeeded, a moment ago
    "declined",  # the user was asked and did not accept, or canceled a prepared change
    "refused",  # the API refused the request or its credential
    "not_sent",  # the call ended before a request was sent
    "unknown",  # sent, but it is unknown whether all or part of the change was made
]

AUDIT_LOG_UNAVAILABLE = (
    "Nothing was changed: the audit log is unavailable, and this server does not make changes without it. Reads still"
    " work. Try again later."
)


def record_customer_change(context: RequestContext, customer: str, scope: Literal["call", "session"]) -> None:
    """Record that an employee acts for *customer*, in one call or from now on in a session."""
    fields = _caller_fields(context) | {"customer": customer, "before": context.tenant, "how": scope}
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.customer = customer
        fields["trace"] = trace.id
    audit_log.info("act for", extra=fields)


async def run_with_audit(context: RequestContext, tool: Tool, call: Call, arguments: JsonObject) -> ToolResult:
    """Run *tool*, which writes, and record the outcome. Return its result.

    Rounds that only ask the client do not end the call and are not recorded.
    """
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
    structured = _structured_content(result)
    outcome = "prepared" if is_prepared(structured) else "declined" if structured == CANCELED else outcome
    record_attempt(context, tool, arguments, "repeated" if effects.repeated else outcome, result)
    return result


def record_attempt(
    context: RequestContext,
    tool: Tool,
    arguments: JsonObject,
    outcome: Outcome = "not_sent",
    result: ToolResult | None = None,
) -> None:
    """Record an attempt to change something. Record nothing if *tool* only reads."""
    if not tool.writes:
        return
    structured = _structured_content(result)
    affected = list_affected_objects(tool, arguments, structured)
    fields = _caller_fields(context) | {"tool": tool.name, "objects": affected, "outcome": outcome}
    if is_prepared(structured):
        fields["approval"] = approval_label(structured[APPROVAL_ARGUMENT][:HANDLE_CHARACTERS])
    elif context.approval is not None:
        fields["approval"] = approval_label(context.approval.id)
    if (trace := CURRENT_TRACE.get()) is not None:
        fields["trace"] = trace.id
    audit_log.info("write", extra=fields)


def record_subscription(
    context: RequestContext,
    action: Literal["subscribe", "refresh", "unsubscribe"],
    id: str,
    *,
    event: str,
    receiver: str = "",
) -> None:
    """Record a change of an event subscription. *receiver* is the host that events are sent to."""
    fields = _caller_fields(context) | {"action": action, "subscription": id, "event": event}
    fields |= {"receiver": receiver} if receiver else {}
    if (trace := CURRENT_TRACE.get()) is not None:
        fields["trace"] = trace.id
    audit_log.info("events", extra=fields)


def record_ended_subscription(
    owner: str, tenant: str, id: str, event: str, action: Literal["terminate", "expire"]
) -> None:
    """Record that an event subscription ended: the API refused its user, or its client did not refresh it."""
    fields = {"principal": owner[:12], "customer": tenant, "action": action, "subscription": id, "event": event}
    audit_log.info("events", extra=fields)


def _structured_content(result: ToolResult | None) -> JsonObject:
    return (result.structured if isinstance(result, ContentResult | ResultWithSeries) else result) or {}


def approval_label(handle: str) -> str:
    """Return the text that connects the line of a prepared change with that of its approval. It approves nothing."""
    return sha256(handle.encode()).hexdigest()[:12]


def _classify_failure(failure: BaseException, effects: Effects) -> Outcome:
    if effects.repeated:
        return "repeated"
    # Earlier requests may have succeeded before a later one failed, so the change may be partial.
    if effects.applied or effects.maybe_applied or (isinstance(failure, ApiError) and failure.maybe_applied):
        return "unknown"
    if isinstance(failure, Declined):
        return "declined"
    # A tool may raise a ToolError with its own message for a refusal of the API.
    cause = failure.__cause__ if isinstance(failure, ToolError) else failure
    return "refused" if isinstance(cause, ApiError) and cause.status is not None else "not_sent"


def _caller_fields(context: RequestContext) -> dict[str, Any]:
    """Return the caller's identity, which no other log contains, and the customer of the call."""
    fields: dict[str, Any] = {"principal": context.owner[:12]}
    if (actor := context.actor) is not None:
        actor_fields = {"subject": actor.subject, "email": actor.email, "token": actor.token_label}
        fields |= {name: value for name, value in actor_fields.items() if value}
    return fields | {"customer": context.tenant}


def list_affected_objects(tool: Tool, arguments: JsonObject, result: JsonObject) -> dict[str, Any]:
    """Return the identifiers of the objects that a call affects, from its *arguments* and its *result*."""
    # Invalid arguments may have any name, so use only those in the schema.
    known_arguments = {name: arguments[name] for name in tool.input_schema.get("properties", {}) if name in arguments}
    return dict(list(extract_identifiers(known_arguments, result).items())[:MAX_IDENTIFIERS])
