"""Writes that come twice: the second of two equal ones within two minutes is answered with what the first one gave."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from hashlib import sha256

import orjson

from ..doit.effects import note_repeat
from ..doit.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .call import Call, CannotAsk, Interrupted, NoAnswer
from .receipts import LIFE_S, Receipt
from .rechecking import Check
from .tools import Content, Tool, ToolError

NOTE = "alreadyDone"
"""Member of an answer that was given before."""
CHECKED, MADE, CHANGED = "checked", "made", "changed"
"""Kinds of writes: those whose effect the API shows; those that add something, which changes and deletions of anybody
at the customer may undo; those that change or delete something, which any other write may undo."""
STANDING = frozenset(
    "accept_budget_suggestion ask_ava_streaming ava_feedback build_cloud_flow create_billing_transfer_handshakes"
    " create_billing_transfer_mappings create_ticket_comment refine_cloudflow resend_invite send_datahub_events"
    " trigger_cloud_flow upload_datahub_csv".split()
)
"""Writes that no later one of somebody else undoes, and that must not be done twice: messages, runs, events."""
NOTHING_DONE = (ToolError, CannotAsk, NoAnswer, Interrupted)
"""Raised before a tool has changed anything."""


def committing(tool: Tool) -> Tool:
    """*tool*, which changes things from its start on. Whatever asks the user is put around it, and :func:`once` around
    that: a repeat is answered by the receipt, and only what is really done uses up the user's consent."""

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        await call.commit()
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def once(tool: Tool, check: Check | None = None) -> Tool:
    """*tool*, a committing one, which for a while does not do the same again: same principal, same customer, same
    arguments.

    What surely was not done may be repeated. So may what no longer holds by *check*; without one, what anybody at the
    customer may have undone; and everything in its area once the caller changed or deleted something there.
    """
    kind = _kind(tool, check)
    repeatable = bool(tool.annotations.get("idempotentHint"))

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        group = f"{tool.area} {call.tenant} "
        key = f"{group}{kind} {_digest(tool, arguments)}"
        while (receipt := await call.receipts.claim(call.owner, key, repeatable=repeatable)) is not None:
            if not receipt.done or check is None or await check.holds(call, arguments, _structured(receipt)):
                note_repeat()
                return _again(tool, receipt)
            await call.receipts.forget(call.owner, key)
        return await _settled(tool, call, group, key, arguments)

    return replace(tool, run=run)


def _kind(tool: Tool, check: Check | None) -> str:
    """What ends a receipt of *tool* early, as part of its key."""
    if check is not None:
        return CHECKED
    if tool.name in STANDING:
        return "standing"
    return CHANGED if tool.annotations.get("destructiveHint") else MADE


def _structured(receipt: Receipt) -> JsonObject:
    """The object that the write answered with; {} where that was not kept."""
    kept = orjson.loads(receipt.answer) if receipt.answer else {}
    found: JsonObject = kept.get("result") or kept.get("content", {}).get("structured") or {}
    return found


def _digest(tool: Tool, arguments: JsonObject) -> str:
    # Text that is no Unicode is refused when the request is made; here it only has to have a digest.
    try:
        text = orjson.dumps([tool.name, arguments], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = repr((tool.name, arguments)).encode("utf-8", "backslashreplace")
    return sha256(text).hexdigest()


async def _settled(tool: Tool, call: Call, group: str, key: str, arguments: JsonObject) -> JsonObject | Content:
    """What the tool answers, kept under *key*. Whatever ends it, the key is settled."""
    answer: bytes | None = b""
    known = False
    try:
        result = await tool.run(call, arguments)
        answer, known = _packed(result), True
        return result
    except NOTHING_DONE:
        answer = None
        raise
    except ApiError as error:
        answer = b"" if error.maybe_applied else None
        raise
    finally:
        # Also when the caller went away in the middle: then nobody knows what became of it, if anything was begun.
        await asyncio.shield(_settle(tool, call, group, key, answer if call.committed else None, known))


async def _settle(tool: Tool, call: Call, group: str, key: str, answer: bytes | None, known: bool) -> None:
    if answer is not None:
        # Its own receipt is not settled yet, so it is not forgotten.
        await call.receipts.forget_all(f"{group}{CHANGED} ")
        if tool.annotations.get("destructiveHint"):
            await call.receipts.forget_all(f"{group}{MADE} ")
            await call.receipts.forget(call.owner, group)
    await call.receipts.settle(call.owner, key, answer, known=known)


def _packed(result: JsonObject | Content) -> bytes:
    return orjson.dumps({"content": asdict(result)} if isinstance(result, Content) else {"result": result})


def _again(tool: Tool, receipt: Receipt) -> JsonObject | Content:
    """The answer to a write that is not repeated. Raises ToolError where nobody knows what became of the first."""
    ago, wait = max(1, round(receipt.seconds)), max(1, round(LIFE_S - receipt.seconds))
    if not receipt.done:
        raise ToolError(
            f"{tool.name} was called with the same arguments {ago} seconds ago, and it is not known whether that took"
            " effect, so it was not done again. Check the current state first; if nothing has changed, call it again in"
            f" {wait} seconds."
        )
    note = (
        f"This is the answer of the same call {ago} seconds ago; nothing was done again. If the user wants it a second"
        f" time, call again in {wait} seconds."
    )
    if not receipt.answer:
        return {"status": "completed", NOTE: note}
    kept = orjson.loads(receipt.answer)
    if "result" in kept:
        return {**kept["result"], NOTE: note}
    content = Content(**kept["content"])
    return replace(content, blocks=[*content.blocks, {"type": "text", "text": note}])
