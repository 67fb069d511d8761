"""Deduplication: within two minutes, a second equal write is answered with the result of the first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, replace
from hashlib import sha256

import orjson

from ...api.effects import mark_repeated
from ...api.errors import ApiError, format_seconds
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call, CallSuspended, MissingClientCapability, NoAnswer
from ..stores.write_receipts import TTL_SECONDS, Receipt
from ..tools.argument_coercion import canonicalize
from ..tools.tool import ContentResult, Tool, ToolError
from .affected_objects import affected_identifiers
from .receipt_verification import Verifier

ALREADY_DONE_KEY = "alreadyDone"
"""Member of a result that was returned before."""
CREATED_KIND, CHANGED_KIND = "made", "changed"
"""Kinds of writes: those that add something, which only its removal undoes, and those that change or delete something,
which any later write about it undoes."""
REMOVAL_VERBS = frozenset(("cancel", "remove"))
"""Verbs of removals besides deletions."""
NO_EFFECT_ERRORS = (ToolError, MissingClientCapability, NoAnswer, CallSuspended)
"""Raised before a tool has changed anything."""


def with_commit(tool: Tool) -> Tool:
    """*tool*, which counts as changing something from its start on. :func:`with_confirmation` goes around it, and
    :func:`with_deduplication` around that: the receipt answers repeats, and only a real change uses up a consent."""

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        await call.commit()
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def with_deduplication(tool: Tool, verifier: Verifier | None = None) -> Tool:
    """*tool*, a committing one, which for a while does not repeat a write of the same principal, for the same customer,
    with the same arguments.

    A write that certainly had no effect may be repeated. So may one that no longer holds according to *verifier*, and
    one that a later write about the same object has undone, by any user of the customer. An update whose effect cannot
    be read is repeated if it is idempotent. A trial run changes nothing, so it is not deduplicated.
    """
    repeatable = bool(tool.annotations.get("idempotentHint"))
    renews = repeatable and verifier is None and tool.verb == "update"

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        if arguments.get("dryRun") is True:
            return await tool.run(call, arguments)
        digest = (
            await run_in_thread(_write_digest, tool, arguments)
            if is_large(arguments)
            else _write_digest(tool, arguments)
        )
        key = f"{call.tenant} {digest}"
        while (receipt := await call.receipts.claim(call.owner, key, idempotent=repeatable)) is not None:
            if not receipt.done or not (renews or await _is_undone(verifier, call, arguments, receipt)):
                mark_repeated()
                return _repeat_result(tool, receipt)
            await call.receipts.forget(call.owner, key)
        return await _run_and_settle(tool, call, key, arguments)

    return replace(tool, run=run)


async def _is_undone(verifier: Verifier | None, call: Call, arguments: JsonObject, receipt: Receipt) -> bool:
    return verifier is not None and not await verifier.still_holds(call, arguments, _structured_content(receipt.answer))


def _group_keys(tool: Tool, call: Call, kind: str, objects: Iterable[str]) -> list[str]:
    """Return the receipt groups of one *kind* for some objects."""
    named = (orjson.dumps([call.tenant, tool.area, kind, one]) for one in objects)
    return [sha256(name).hexdigest()[:32] for name in named]


def _structured_content(answer: bytes) -> JsonObject:
    """Return the object in a packed result; {} if it was not stored."""
    kept = orjson.loads(answer) if answer else {}
    found: JsonObject = kept.get("result") or kept.get("content", {}).get("structured") or {}
    return found


def _write_digest(tool: Tool, arguments: JsonObject) -> str:
    """Return a digest that is equal for all arguments with the same meaning."""
    arguments = canonicalize(arguments, tool.input_schema, creates=not tool.annotations.get("idempotentHint"))
    # Invalid Unicode is refused when the request is made; here it only needs a digest.
    try:
        text = orjson.dumps([tool.name, arguments], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = repr((tool.name, arguments)).encode("utf-8", "backslashreplace")
    return sha256(text).hexdigest()


async def _run_and_settle(tool: Tool, call: Call, key: str, arguments: JsonObject) -> JsonObject | ContentResult:
    """The tool's answer, kept under *key*. The key is settled however the call ends."""
    answer: bytes | None = b""
    known = False
    try:
        result = await tool.run(call, arguments)
        answer, known = _pack_result(result), True
        return result
    except NO_EFFECT_ERRORS:
        answer = None
        raise
    except ApiError as error:
        answer = b"" if error.maybe_applied else None
        raise
    finally:
        # Also if the caller disconnects midway: then the outcome is unknown, provided that the change was begun.
        await asyncio.shield(_settle_receipt(tool, call, key, arguments, answer if call.committed else None, known))


async def _settle_receipt(
    tool: Tool, call: Call, key: str, arguments: JsonObject, answer: bytes | None, known: bool
) -> None:
    if answer is None:
        await call.receipts.settle(call.owner, key, None)
        return
    about = affected_identifiers(arguments, {})
    removes = tool.deletes or tool.verb in REMOVAL_VERBS
    undone = [
        group for kind in (CHANGED_KIND, CREATED_KIND)[: 1 + removes] for group in _group_keys(tool, call, kind, about)
    ]
    # Its own receipt is not settled yet, so it is not dropped.
    await call.receipts.forget_groups(undone)
    undone_by = tool.facts.get("undone_by", "change" if tool.annotations.get("destructiveHint") else "removal")
    if undone_by == "nothing":
        own = []
    elif undone_by == "change":
        own = _group_keys(tool, call, CHANGED_KIND, about)
    else:
        own = _group_keys(tool, call, CREATED_KIND, affected_identifiers(arguments, _structured_content(answer)))
    await call.receipts.settle(call.owner, key, answer, known=known, groups=own)


def _pack_result(result: JsonObject | ContentResult) -> bytes:
    return orjson.dumps({"content": asdict(result)} if isinstance(result, ContentResult) else {"result": result})


def _repeat_result(tool: Tool, receipt: Receipt) -> JsonObject | ContentResult:
    """The answer to a write that is not repeated. Raises ToolError if the outcome of the first is unknown."""
    ago, wait = format_seconds(receipt.age_seconds), format_seconds(TTL_SECONDS - receipt.age_seconds)
    if not receipt.done:
        raise ToolError(
            f"{tool.name} was called with the same arguments {ago} ago, and it is unknown whether that call took"
            " effect, so it was not repeated. Check the current state first; if nothing has changed, call it again in"
            f" {wait}."
        )
    note = (
        f"This is the result of the same call {ago} ago; it was not repeated. If the user wants it done again,"
        f" call again in {wait}."
    )
    if not receipt.answer:
        return {"status": "completed", ALREADY_DONE_KEY: note}
    kept = orjson.loads(receipt.answer)
    if "result" in kept:
        return {**kept["result"], ALREADY_DONE_KEY: note}
    content = ContentResult(**kept["content"])
    return replace(content, blocks=[*content.blocks, {"type": "text", "text": note}])
