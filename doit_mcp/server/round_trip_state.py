"""The rounds of a request that asks back: what earlier ones brought, and the state that the client brings again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson

from ..catalog.call import CannotAsk
from ..protocol.jsonrpc import INVALID_PARAMS, MISSING_CLIENT_CAPABILITY, JsonObject, Request, RpcError
from .client_requests import Asker, Nobody, OnStream
from .multi_round_trip import Before, ByRetry, InputRequired, inputs
from .request_context import Context
from .running_request import Detach, RunningCall

NOTHING_BEFORE = Before()

# How long a person may think before the state of a request has to be asked for anew.
STATE_LIFE = 900.0
MOST_STATE = 32 << 10


def asker_of(context: Context, request: Request, before: Before) -> Asker:
    """How this request's client is asked."""
    if context.caller.revision.era.stateless:
        return ByRetry(request, before, partial(context.shared.consents.use, context.owner))
    if context.session is None or not context.channel.may_stream:
        return Nobody()
    return OnStream(context.session, context.channel.send)


Work = Callable[[RunningCall], Awaitable[JsonObject]]


async def rounds(context: Context, request: Request, name: str, work: Work) -> JsonObject:
    """The result of *work*, or one that asks for what is missing (2026-07-28, Multi Round-Trip Requests).

    Raises RpcError -32021 for what the client did not declare, in the era that has it; CannotAsk in the other.
    """
    before = answers_before(context, request)
    asker = asker_of(context, request, before)
    try:
        result = await work(RunningCall(context, request, name, asker))
        if context.session is not None and context.session.unsaved:
            await context.session.save()
        return result
    except InputRequired as needed:
        return {
            "resultType": "input_required",
            "inputRequests": needed.requests,
            "requestState": _sealed(context, request, before.after(asker.known, needed.questions)),
        }
    except Detach as away:
        away.known = {**before.known, **asker.known}
        raise
    except CannotAsk as missing:
        if not context.caller.revision.era.stateless:
            raise
        raise unable(request, missing) from None


def unable(request: Request, missing: CannotAsk) -> RpcError:
    """The error that names the capabilities a client would have to declare."""
    data = {"requiredCapabilities": missing.required}
    return RpcError(MISSING_CLIENT_CAPABILITY, "The client did not declare a required capability", data, id=request.id)


def answers_before(context: Context, request: Request) -> Before:
    """What earlier rounds brought; RpcError -32602 for a state that is not ours for this request."""
    if not context.caller.revision.era.stateless:
        return NOTHING_BEFORE
    inputs(request)
    state = request.params.get("requestState")
    if state is None:
        return NOTHING_BEFORE
    try:
        if not isinstance(state, str):
            raise ValueError("no text")
        return Before.of(context.shared.seals.open(binding(context, request), state))
    except ValueError as wrong:
        text = "Invalid params: params.requestState is not one of this request, or too old; repeat it without"
        raise RpcError(INVALID_PARAMS, text, id=request.id) from wrong


def _sealed(context: Context, request: Request, before: Before) -> str:
    state = before.state
    if len(orjson.dumps(state)) > MOST_STATE:
        raise RpcError(INVALID_PARAMS, "Invalid params: the answers are too large", id=request.id)
    return context.shared.seals.close(binding(context, request), state, STATE_LIFE)


def binding(context: Context, request: Request) -> bytes:
    """What a state is good for: this principal, acting for this customer, and this request, whatever its id (R6)."""
    params: dict[str, Any] = {
        name: value for name, value in request.params.items() if name in ("name", "uri", "arguments")
    }
    text = orjson.dumps([context.owner, context.tenant, request.method, params], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()
