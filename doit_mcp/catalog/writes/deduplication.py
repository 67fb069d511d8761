"""Deduplication: for two minutes, a repeated write returns the result of the first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256

import orjson

from ...api.effects import mark_repeated
from ...api.errors import ApiError, format_seconds
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call, CallSuspended, MissingClientCapability, NoAnswer
from ..stores.approvals import CHANGE_LIMITS, EXPIRED
from ..stores.write_claim import DoneMeanwhile, WriteClaim
from ..stores.write_receipts import TTL_SECONDS, Receipt
from ..tools.argument_coercion import canonicalize
from ..tools.series import ResultWithSeries, structured_content
from ..tools.tool import ContentResult, Tool, ToolError, ToolResult
from .affected_objects import find_affected_identifiers
from .cancellation import CANCELED_BEFORE, approval_key, is_canceled
from .receipt_verification import Verifier
from .secret_results import NOT_REPEATED, has_secrets, without_secrets

ALREADY_DONE_KEY = "alreadyDone"
"""Member of a repeated result, with a note for the model."""
CREATED_KIND, CHANGED_KIND = "made", "changed"
"""Kinds of writes: creations, which only the removal of the object undoes, and changes and deletions, which any later
write to the object undoes."""
REMOVAL_VERBS = frozenset(("cancel", "remove"))
"""Verbs of removals besides deletions."""
NO_EFFECT_ERRORS = (ToolError, MissingClientCapability, NoAnswer, CallSuspended)
"""Raised before a tool has changed anything."""


def with_commit(tool: Tool) -> Tool:
    """Make *tool* commit before it runs.

    :func:`with_confirmation` wraps the result, and :func:`with_deduplication` wraps that, so that repeats get the
    receipt, and only a write that runs uses up the user's consent.
    """

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        await call.commit()
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def with_deduplication(tool: Tool, verifier: Verifier | None = None) -> Tool:
    """Make *tool*, which commits, return the receipt of an equal write instead of repeating it.

    Equal writes have the same principal, customer and arguments. A write that certainly had no effect may be repeated.
    So may one that no longer holds according to *verifier*, and one that a later write to the same object has undone,
    by any user of the customer. An update whose effect cannot be read is repeated if it is idempotent. A trial run
    changes nothing, so it is not deduplicated.
    """
    is_idempotent = bool(tool.annotations.get("idempotentHint"))
    always_repeats = is_idempotent and verifier is None and tool.verb == "update"

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        if arguments.get("dryRun") is True:
            return await tool.run(call, arguments)
        digest = (
            await run_in_thread(_write_digest, tool, arguments)
            if is_large(arguments)
            else _write_digest(tool, arguments)
        )
        key = f"{call.tenant} {digest}"
        while (receipt := await call.receipts.claim(call.owner, key, idempotent=is_idempotent)) is not None:
            if not receipt.done or not (always_repeats or await _is_undone(verifier, call, arguments, receipt)):
                return await _replay_result(tool, call, receipt)
            await call.receipts.forget(call.owner, key)
        call.claim = claim = WriteClaim(call.receipts, call.owner, key, idempotent=is_idempotent)
        settle = partial(_settle_claim, claim, partial(_settle_receipt, tool, call, key, arguments))
        try:
            return await _run_and_settle(tool, call, arguments, settle)
        except DoneMeanwhile as done:
            return await _replay_result(tool, call, done.receipt)

    return with_approval_receipt(replace(tool, run=run))


def with_approval_receipt(tool: Tool) -> Tool:
    """Make *tool* return the first receipt if the same approval is used again, whatever the object's current state.

    The receipt lasts as long as the prepared change is stored. An approval that expired leads only to that receipt.
    """

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        approval = call.approvals.current
        if approval is None:
            return await tool.run(call, arguments)
        key = approval_key(call.tenant, approval.id)
        # Approvals themselves count only once, so this claim only serves repeats.
        receipt = await call.receipts.claim(call.owner, key, idempotent=True)
        if receipt is not None:
            if is_canceled(receipt):
                raise ToolError(CANCELED_BEFORE.format(tool.name))
            mark_repeated()
            return _repeat_result(tool, receipt, is_approval=True)
        settle = partial(call.receipts.settle, call.owner, key, lifetime_seconds=CHANGE_LIMITS.ttl_seconds)
        if approval.is_expired:
            await settle(None)
            # If it was used, its receipt is lost, and nothing shows whether the change was made.
            await call.approvals.use()
            raise ToolError(EXPIRED)
        return await _run_and_settle(tool, call, arguments, settle)

    return replace(tool, run=run)


async def _replay_result(tool: Tool, call: Call, receipt: Receipt) -> ToolResult:
    """Return the result of the first write for a repeat, and use up its approval, which would repeat the write later.

    Raises ToolError if the outcome of the first is unknown, or if the approval was used before.
    """
    mark_repeated()
    result = _repeat_result(tool, receipt, is_approval=call.approvals.current is not None)
    await call.approvals.use()
    return result


async def _is_undone(verifier: Verifier | None, call: Call, arguments: JsonObject, receipt: Receipt) -> bool:
    return verifier is not None and not await verifier.still_holds(call, arguments, _unpack_content(receipt.answer))


def _group_keys(tool: Tool, call: Call, kind: str, identifiers: Iterable[str]) -> list[str]:
    """Return the receipt groups of one *kind* for the objects with these identifiers."""
    names = (orjson.dumps([call.tenant, tool.area, kind, identifier]) for identifier in identifiers)
    return [sha256(name).hexdigest()[:32] for name in names]


def _unpack_content(packed: bytes) -> JsonObject:
    """Return the structured content of a packed result; {} if it was not stored."""
    stored = orjson.loads(packed) if packed else {}
    content: JsonObject = stored.get("result") or stored.get("content", {}).get("structured") or {}
    return content


def _write_digest(tool: Tool, arguments: JsonObject) -> str:
    """Return a digest that is equal for all arguments with the same meaning."""
    arguments = canonicalize(arguments, tool.accepted_schema, creates=not tool.annotations.get("idempotentHint"))
    # Invalid Unicode is rejected when the request is built; here it only needs a digest.
    try:
        text = orjson.dumps([tool.name, arguments], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = repr((tool.name, arguments)).encode("utf-8", "backslashreplace")
    return sha256(text).hexdigest()


Settle = Callable[..., Awaitable[None]]
"""Settles a claim with a packed result, or None if the write was certainly not done; *known* as in ReceiptStore."""


async def _run_and_settle(tool: Tool, call: Call, arguments: JsonObject, settle: Settle) -> ToolResult:
    """Return the result of the tool, and settle the claim with it however the call ends."""
    packed: bytes | None = b""
    is_done = is_repeat = False
    try:
        result = await tool.run(call, arguments)
        packed, is_done = _pack_result(tool, result), True
        # A call without a claim has its result from the receipt of an equal write.
        is_repeat = call.claim is None or not call.claim.is_held
        return result
    except NO_EFFECT_ERRORS:
        packed = None
        raise
    except ApiError as error:
        packed = b"" if error.maybe_applied else None
        raise
    finally:
        # If the client disconnects before the end, the outcome is unknown, unless the call has not committed yet.
        await asyncio.shield(settle(packed if call.committed or is_repeat else None, known=is_done))


async def _settle_claim(claim: WriteClaim, settle: Settle, packed: bytes | None, *, known: bool) -> None:
    """Settle *claim*, unless an equal call can have it now."""
    if claim.is_held:
        await settle(packed, known=known)


async def _settle_receipt(
    tool: Tool, call: Call, key: str, arguments: JsonObject, packed: bytes | None, *, known: bool
) -> None:
    if packed is None:
        await call.receipts.settle(call.owner, key, None)
        return
    identifiers = find_affected_identifiers(arguments, {})
    removes = tool.deletes or tool.verb in REMOVAL_VERBS
    undone_kinds = (CHANGED_KIND, CREATED_KIND) if removes else (CHANGED_KIND,)
    undone = [group for kind in undone_kinds for group in _group_keys(tool, call, kind, identifiers)]
    # This keeps the receipt of this write, which is not settled yet.
    await call.receipts.forget_groups(undone)
    undone_by = tool.facts.get("undone_by", "change" if tool.annotations.get("destructiveHint") else "removal")
    if undone_by == "nothing":
        groups = []
    elif undone_by == "change":
        groups = _group_keys(tool, call, CHANGED_KIND, identifiers)
    else:
        created = find_affected_identifiers(arguments, _unpack_content(packed))
        groups = _group_keys(tool, call, CREATED_KIND, created)
    await call.receipts.settle(call.owner, key, packed, known=known, groups=groups)


def _pack_result(tool: Tool, result: ToolResult) -> bytes:
    """Return *result* as it is stored: everything but its secrets."""
    if isinstance(result, ContentResult):
        # Secrets in content blocks cannot be identified.
        return b"" if has_secrets(tool) else orjson.dumps({"content": asdict(result)})
    series = {"series": result.series} if isinstance(result, ResultWithSeries) else {}
    return orjson.dumps({"result": without_secrets(tool, structured_content(result)), **series})


def _repeat_result(tool: Tool, receipt: Receipt, *, is_approval: bool = False) -> ToolResult:
    """Return the result of the first write for a repeat. Raises ToolError if the outcome of the first is unknown.

    With *is_approval*, the call was made with a token, which counts only once, so the tool has to be called again.
    """
    age, left = format_seconds(receipt.age_seconds), TTL_SECONDS - receipt.age_seconds
    wait = f" in {format_seconds(left)}" if left > 0 else ""
    again = (
        f"call {tool.name} again{wait} to prepare it: a token counts only once" if is_approval else f"call again{wait}"
    )
    if not receipt.done:
        it_again = again if is_approval else f"call it again{wait}"
        raise ToolError(
            f"it was called with the same arguments {age} ago, and it is unknown whether that call took"
            f" effect, so it was not repeated. Check the current state first; if nothing has changed, {it_again}."
        )
    note = (
        f"This is the result of the same call {age} ago; it was not repeated. If the user wants it done again, {again}."
    ) + (NOT_REPEATED if has_secrets(tool) else "")
    if not receipt.answer:
        return {"status": "completed", ALREADY_DONE_KEY: note}
    stored = orjson.loads(receipt.answer)
    if "result" in stored:
        structured = {**stored["result"], ALREADY_DONE_KEY: note}
        return ResultWithSeries(structured, stored["series"]) if "series" in stored else structured
    content = ContentResult(**stored["content"])
    return replace(content, blocks=[*content.blocks, {"type": "text", "text": note}])
