"""The result of a call that prepares a change: the change, and the token with which the user approves it."""

from __future__ import annotations

from dataclasses import replace

from ...api.timestamps import format_timestamp
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.tool import APPROVAL_ARGUMENT, Tool
from .state_reader import STATE_UNREADABLE

APPROVAL_REQUIRED = "approval_required"
CONFIRM_TOOL = "confirm_action"
NEXT = f"Nothing has changed yet. Show change to the user. Only if they agree, call {CONFIRM_TOOL} with this token"
OUTDATED = (
    "What this change is about has changed since the user saw it, so nothing was applied. This is the change as it is"
    " now, with a new token."
)
UNREAD = (
    "What this change is about could not be read again, so nothing was applied. This is what is known now, with a new"
    " token: wait a minute and call again to see the complete change."
)
SAME_CUSTOMER = " and the same customerContext"


async def request_approval(
    call: Call, tool: Tool, arguments: JsonObject, change: JsonObject, digest: str, *, is_outdated: bool = False
) -> JsonObject:
    """Store the call and return the result that asks for approval. Raises ToolError if it cannot be stored.

    *is_outdated* means that the user approved the change before something that it shows changed or became unreadable.
    Then the change has a note that says so.
    """
    if is_outdated:
        notes = change.get("notes", ())
        change = {**change, "notes": [UNREAD if STATE_UNREADABLE in notes else OUTDATED, *notes]}
    token, expires_at = await call.approvals.prepare(tool.name, arguments, digest)
    return {
        "status": APPROVAL_REQUIRED,
        APPROVAL_ARGUMENT: token,
        "expiresAt": format_timestamp(int(expires_at * 1000)),
        "change": change,
        "next": f"{NEXT}{SAME_CUSTOMER if call.customer_context is not None else ''}.",
    }


def is_prepared(result: object) -> bool:
    """Return whether the structured content of a result asks for approval."""
    return isinstance(result, dict) and result.get("status") == APPROVAL_REQUIRED and APPROVAL_ARGUMENT in result


def with_approval_status(tool: Tool) -> Tool:
    """Return *tool* with an output schema that allows the status of a prepared change."""
    schema = tool.output_schema or {}
    status = schema.get("properties", {}).get("status", {})
    if "enum" not in status:
        return tool
    extended = {**status, "enum": [*status["enum"], APPROVAL_REQUIRED]}
    return replace(tool, output_schema={**schema, "properties": {**schema["properties"], "status": extended}})
