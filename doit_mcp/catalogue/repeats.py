"""Writes that come twice: the second of two equal ones within two minutes is answered with what the first one gave."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from hashlib import sha256

import orjson

from ..doit.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .call import Call, CannotAsk, Interrupted, NoAnswer
from .receipts import LIFE_S, Receipt
from .tools import Content, Tool, ToolError

NOTE = "alreadyDone"
"""Member of an answer that was given before."""
NOTHING_DONE = (ToolError, CannotAsk, NoAnswer, Interrupted)
"""Raised before a tool has changed anything."""


def once(tool: Tool) -> Tool:
    """*tool*, which for a while does not do the same again: same principal, same customer, same arguments.

    What surely was not done may be repeated; so may everything in its area once something there was changed or deleted.
    """

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        group = f"{tool.area} {call.doit.tenant} "
        key = group + _digest(tool, arguments)
        repeatable = bool(tool.annotations.get("idempotentHint"))
        receipt = await call.receipts.claim(call.owner, key, repeatable=repeatable)
        if receipt is not None:
            return _again(tool, receipt)
        if tool.annotations.get("destructiveHint"):
            await call.receipts.forget(call.owner, group)
        return await _settled(tool, call, key, arguments)

    return replace(tool, run=run)


def _digest(tool: Tool, arguments: JsonObject) -> str:
    # Text that is no Unicode is refused when the request is made; here it only has to have a digest.
    try:
        text = orjson.dumps([tool.name, arguments], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = repr((tool.name, arguments)).encode("utf-8", "backslashreplace")
    return sha256(text).hexdigest()


async def _settled(tool: Tool, call: Call, key: str, arguments: JsonObject) -> JsonObject | Content:
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
        # Also when the caller went away in the middle: then nobody knows what became of it.
        await asyncio.shield(call.receipts.settle(call.owner, key, answer, known=known))


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
