"""Runs one round of a request that asks the client for input, and signs the state between rounds (MRTR)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson

from ..catalog.call import MissingClientCapability
from ..protocol.jsonrpc import INVALID_PARAMS, MISSING_CLIENT_CAPABILITY, JsonObject, Request, RpcError
from .client_requests import ANSWER_TIMEOUT_SECONDS, Asker, NullAsker, StreamAsker, input_requests
from .multi_round_trip import InputRequired, PreviousRounds, RetryInputCollector, read_input_responses
from .request_context import RequestContext
from .running_request import RunningRequest
from .task_progress import ContinueAsTask

NO_PREVIOUS_ROUNDS = PreviousRounds()

# How long users may take to answer before the request has to start over.
STATE_LIFETIME_SECONDS = 900.0
MAX_STATE_BYTES = 32 << 10


def make_input_collector(context: RequestContext, request: Request, previous: PreviousRounds) -> Asker:
    """Return the asker for this request's client."""
    if context.caller.revision.era.stateless:
        return RetryInputCollector(request, previous, partial(context.services.consents.use, context.owner))
    if context.session is None or not context.channel.may_stream:
        return NullAsker()
    return StreamAsker(context.session, context.channel.send, ANSWER_TIMEOUT_SECONDS)


RoundHandler = Callable[[RunningRequest], Awaitable[JsonObject]]


async def run_round(context: RequestContext, request: Request, name: str, handler: RoundHandler) -> JsonObject:
    """Return the result of *handler*, or one that asks for missing input (2026-07-28, Multi Round-Trip Requests).

    If the client did not declare a required capability, raise RpcError -32021 for stateless requests and
    MissingClientCapability for stateful requests.
    """
    previous = read_previous_rounds(context, request)
    asker = make_input_collector(context, request, previous)
    try:
        result = await handler(RunningRequest(context, request, name, asker))
        if context.session is not None and context.session.has_unsaved_changes:
            await context.session.save()
        return result
    except InputRequired as suspension:
        return {
            "resultType": "input_required",
            "inputRequests": input_requests(suspension.questions),
            "requestState": _sign_state(context, request, previous.add_round(asker.answers, suspension.questions)),
        }
    except ContinueAsTask as continuation:
        continuation.answers = {**previous.answers, **asker.answers}
        raise
    except MissingClientCapability as missing:
        if not context.caller.revision.era.stateless:
            raise
        raise missing_capability_error(request, missing) from None


def missing_capability_error(request: Request, missing: MissingClientCapability) -> RpcError:
    """Return the error that names the capabilities the client has to declare."""
    data = {"requiredCapabilities": missing.required_capabilities}
    return RpcError(MISSING_CLIENT_CAPABILITY, "The client did not declare a required capability", data, id=request.id)


def read_previous_rounds(context: RequestContext, request: Request) -> PreviousRounds:
    """Return what earlier rounds collected. Raise RpcError -32602 for a state that was not signed for this request."""
    if not context.caller.revision.era.stateless:
        return NO_PREVIOUS_ROUNDS
    read_input_responses(request)
    state = request.params.get("requestState")
    if state is None:
        return NO_PREVIOUS_ROUNDS
    try:
        if not isinstance(state, str):
            raise ValueError("no text")
        return PreviousRounds.from_state(context.services.state_signer.verify(state_binding(context, request), state))
    except ValueError as error:
        text = "Invalid params: params.requestState has expired or belongs to another request; repeat the request without it"
        raise RpcError(INVALID_PARAMS, text, id=request.id) from error


def _sign_state(context: RequestContext, request: Request, rounds: PreviousRounds) -> str:
    state = rounds.state
    if len(orjson.dumps(state)) > MAX_STATE_BYTES:
        raise RpcError(INVALID_PARAMS, "Invalid params: the answers are too large", id=request.id)
    return context.services.state_signer.sign(state_binding(context, request), state, STATE_LIFETIME_SECONDS)


def state_binding(context: RequestContext, request: Request) -> bytes:
    """Return the binding of a state: this principal and customer, and this request except for its id."""
    params: dict[str, Any] = {
        name: value for name, value in request.params.items() if name in ("name", "uri", "arguments")
    }
    text = orjson.dumps([context.owner, context.tenant, request.method, params], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()
