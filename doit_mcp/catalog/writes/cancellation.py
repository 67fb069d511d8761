"""Cancellation of a prepared change: its token stops working."""

from __future__ import annotations

from dataclasses import replace

import orjson

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..stores.approvals import CHANGE_LIMITS, EXPIRED
from ..stores.write_receipts import Receipt
from ..tools.tool import Tool, ToolError

CANCELED: JsonObject = {"status": "canceled", "note": "Nothing was changed, and approvalToken no longer works."}
"""The result of a cancellation."""
CANCELED_BEFORE = (
    "Nothing was changed: the user canceled this change. If they want it after all, call {} again to prepare it."
)
TOO_LATE = (
    "This change was not canceled: it was applied before, or it may have been. Call confirm_action with only the"
    " approvalToken to get its result, or check the current state."
)
_ANSWER = orjson.dumps({"result": CANCELED})


def with_cancellation(tool: Tool) -> Tool:
    """Return *tool*, whose change was prepared, with a call that cancels the change instead of making it."""

    async def run(call: Call, arguments: JsonObject) -> JsonObject:
        approval = call.approvals.current
        if approval is None:
            raise ToolError("Nothing was canceled: no change was prepared.")
        key = approval_key(call.tenant, approval.id)
        receipt = await call.receipts.claim(call.owner, key, idempotent=True)
        if receipt is not None:
            if is_canceled(receipt):
                return CANCELED
            raise ToolError(TOO_LATE)
        answer: bytes | None = None
        try:
            if approval.is_expired:
                raise ToolError(EXPIRED)
            await call.approvals.use()
            answer = _ANSWER
        finally:
            await call.receipts.settle(call.owner, key, answer, lifetime_seconds=CHANGE_LIMITS.ttl_seconds)
        return CANCELED

    return replace(tool, run=run, task_after=None)


def approval_key(tenant: str, id: str) -> str:
    """Return the key of the receipt of an approved change, the same for all uses of its token."""
    return f"{tenant} approval {id}"


def is_canceled(receipt: Receipt) -> bool:
    """Return whether *receipt* is that of a cancellation."""
    return receipt.answer == _ANSWER
