"""``/mcp``: Streamable HTTP of all revisions, each request judged by itself (Streamable HTTP; Transports)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from ..auth.principal import Principal
from ..protocol import inbound
from ..protocol.inbound import Caller
from ..protocol.jsonrpc import (
    INVALID_REQUEST,
    Id,
    Message,
    Notification,
    Request,
    Response,
    RpcError,
    error_bytes,
    message,
    parse,
    result_bytes,
)
from ..server import lifecycle
from ..server.batches import messages, taken
from ..server.context import Channel, Context
from ..server.dispatch import AT_ONCE, answer
from ..server.sessions import Session
from . import keys
from .answer import NOWHERE, Answer, json_answer
from .body import EVENTS, Refused, accepts, read
from .connect import ways
from .events import follow, listen
from .recording import Recording

SESSION_ID = "Mcp-Session-Id"
LISTEN = "subscriptions/listen"


async def post(request: web.Request, principal: Principal) -> web.StreamResponse:
    """A message from the client."""
    body = await read(request, request.app[keys.SETTINGS].body_timeout_s)
    try:
        value = parse(body)
        if isinstance(value, list):
            return await _batch(request, principal, value)
        item = message(value)
        if isinstance(item, Request):
            request[keys.ID] = item.id
        if inbound.speaks_envelope(request.headers, item):
            return await _enveloped(request, principal, item)
        return await _handshaken(request, principal, item)
    except RpcError as error:
        return json_answer(400, error_bytes(error, request.get(keys.ID, error.id)))


async def _enveloped(request: web.Request, principal: Principal, item: Message) -> web.StreamResponse:
    if isinstance(item, Response):
        raise RpcError(INVALID_REQUEST, "Invalid Request: a client of this revision sends no responses", id=item.id)
    if isinstance(item, Notification):
        inbound.check_notification(item, request.headers)
        return web.Response(status=202)
    caller = inbound.envelope(item, request.headers)
    if item.method in AT_ONCE:
        return json_answer(*await answer(_context(request, principal, caller, NOWHERE), item))
    if item.method == LISTEN:
        if not accepts(request, EVENTS):
            raise Refused(406, f"Accept must allow {EVENTS} for {LISTEN}")
        with request.app[keys.STREAMS].place(principal.owner):
            return await _while_connected(request, principal, caller, item)
    slots = request.app[keys.WORK].slots
    slots.take(principal.owner)
    try:
        return await _while_connected(request, principal, caller, item)
    finally:
        slots.give_back(principal.owner)


async def _while_connected(
    request: web.Request, principal: Principal, caller: Caller, item: Request
) -> web.StreamResponse:
    """The connection is the request: when it goes, this handler is cancelled, and the work with it (Cancellation)."""
    with _answer(request) as reply:
        context = _context(request, principal, caller, reply)
        answered = await answer(context, item)
        # Before the client hears of a task, it can be asked for.
        await context.shared.tasks.settled()
        await reply.finish(*answered)
        return await reply.settled()


async def _handshaken(request: web.Request, principal: Principal, item: Message) -> web.StreamResponse:
    if isinstance(item, Request) and item.method == "initialize":
        return await _initialize(request, principal, item)
    session = await _session(request, principal)
    if session is None:
        caller = inbound.stateless_handshake(request.headers)
    else:
        inbound.check_session_version(session.caller.revision, request.headers)
        caller = session.caller
    if isinstance(item, Request):
        return await _answered(request, principal, caller, session, item)
    if session is not None:
        session.receive(item)
    return web.Response(status=202)


async def _initialize(request: web.Request, principal: Principal, item: Request) -> web.Response:
    if SESSION_ID in request.headers:
        await _session(request, principal)
        raise RpcError(INVALID_REQUEST, "Invalid Request: this session is initialized already", id=item.id)
    try:
        caller = lifecycle.hello(item)
    except RpcError as error:
        return json_answer(200, error_bytes(error, item.id))
    session = await request.app[keys.SESSIONS].open(principal.owner, caller)
    body = result_bytes(item.id, lifecycle.welcome(request[keys.OFFER], caller))
    return json_answer(200, body, {SESSION_ID: session.id})


async def _session(request: web.Request, principal: Principal) -> Session | None:
    """The session that the request names, None when it names none; raises Refused 404 for one that is not theirs."""
    values = request.headers.getall(SESSION_ID, [])
    if not values:
        return None
    session = await request.app[keys.SESSIONS].find(values[0], principal.owner) if len(values) == 1 else None
    if session is None:
        raise Refused(404, "Session not found; start over with initialize")
    return session


def _answer(request: web.Request, session: Session | None = None, ids: Sequence[Id] = ()) -> Answer:
    app = request.app
    recording = None
    if session is not None and session.caller.revision.has("resumption"):
        recording = Recording(app[keys.REPLAYS], session, ids)
    beat = app[keys.SETTINGS].keep_alive_s
    return Answer(request, may_stream=accepts(request, EVENTS), beat=beat, recording=recording)


def _context(
    request: web.Request, principal: Principal, caller: Caller, channel: Channel, session: Session | None = None
) -> Context:
    app = request.app
    connect, act_for = ways(app[keys.CONNECTOR], principal, session)
    shared, offer = app[keys.SHARED], request[keys.OFFER]
    return Context(offer, caller, principal.owner, connect, channel, shared, session, request.headers, act_for)


async def _answered(
    request: web.Request, principal: Principal, caller: Caller, session: Session | None, item: Request
) -> web.StreamResponse:
    if item.method in AT_ONCE:
        return json_answer(*await answer(_context(request, principal, caller, NOWHERE, session), item))
    # The work goes on when the client leaves (Transports, Sending Messages to the Server).
    with _answer(request, session, (item.id,)) as reply:
        request.app[keys.WORK].start(_context(request, principal, caller, reply, session), item, reply)
        return await reply.settled()


async def _batch(request: web.Request, principal: Principal, values: list[Any]) -> web.StreamResponse:
    if inbound.speaks_envelope(request.headers, None):
        raise RpcError(INVALID_REQUEST, "Invalid Request: this revision has no batches; send one message")
    session = await _session(request, principal)
    if session is None or not session.caller.revision.has("batches"):
        raise RpcError(INVALID_REQUEST, "Invalid Request: batches need a session of the revision that has them")
    inbound.check_session_version(session.caller.revision, request.headers)
    read = messages(values)
    if taken(session, read):
        return web.Response(status=202)
    with _answer(request, session, [item.id for item in read if isinstance(item, Request)]) as reply:
        context = _context(request, principal, session.caller, reply, session)
        request.app[keys.WORK].start_batch(context, session, read, reply)
        return await reply.settled()


async def get(request: web.Request, principal: Principal) -> web.StreamResponse:
    """The stream for what belongs to no request, or the rest of one that was lost."""
    session = await _for_stream(request, principal)
    if not accepts(request, EVENTS):
        raise Refused(406, f"Accept must allow {EVENTS}")
    last = request.headers.get("Last-Event-ID") if session.caller.revision.has("resumption") else None
    with request.app[keys.STREAMS].place(principal.owner):
        if last is not None:
            return await follow(request, session, last)
        return await listen(request, session)


async def _for_stream(request: web.Request, principal: Principal) -> Session:
    if inbound.speaks_envelope(request.headers, None):
        raise Refused(405, "This revision has no GET and no DELETE here", {"Allow": "POST"})
    session = await _session(request, principal)
    if session is None:
        raise Refused(400, f"{SESSION_ID} is missing")
    try:
        inbound.check_session_version(session.caller.revision, request.headers)
    except RpcError as error:
        raise Refused(400, error.message) from None
    return session


async def delete(request: web.Request, principal: Principal) -> web.StreamResponse:
    """The client ends its session."""
    await request.app[keys.SESSIONS].close(await _for_stream(request, principal))
    return web.Response(status=204)
