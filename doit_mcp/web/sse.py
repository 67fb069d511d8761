"""``/sse`` and ``/sse/message``: the transport of 2024, for connectors that still speak it (HTTP with SSE)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ..auth.principal import Principal
from ..protocol.jsonrpc import (
    INVALID_REQUEST,
    Message,
    Request,
    RpcError,
    error_bytes,
    message,
    parse,
    result_bytes,
)
from ..server import lifecycle
from ..server.batches import messages, taken
from ..server.context import Context
from ..server.outbox import Outbox
from ..server.sessions import Session, Way
from . import keys
from .answer import json_answer
from .body import EVENTS, Refused, accepts, read
from .connect import ways
from .events import drain, event_stream, send
from .writing import event

MESSAGES = "/sse/message"


class OnSse:
    """Channel and destination of a request whose answers go to the session's stream."""

    may_stream = True

    def __init__(self, way: Way) -> None:
        self._way = way

    async def send(self, data: bytes) -> None:
        """Put a message on the stream."""
        await self._way.room()
        self._way.put(data)

    async def release(self) -> None:
        """The stream is the session here; it stays."""

    async def finish(self, status: int, body: bytes) -> None:
        """Put the answer on the stream."""
        await self.send(body)

    async def nothing(self) -> None:
        """A cancelled request has no answer."""


async def get(request: web.Request, principal: Principal) -> web.StreamResponse:
    """Open the stream; its first event says where to post. The session lives as long as the stream."""
    if not accepts(request, EVENTS):
        raise Refused(406, f"Accept must allow {EVENTS}")
    outbox = Outbox()
    hub = request.app[keys.SHARED].hub
    prefix = urlsplit(request.app[keys.SETTINGS].resource_url).path
    async with request.app[keys.STREAMS].session(principal.owner, outbox) as session:
        with hub.listening(session.owner, session.hear), hub.until_closed(outbox):
            async with event_stream(request) as response:
                address = f"{prefix}{MESSAGES}?sessionId={session.id}"
                if await send(request, response, event(address.encode(), name=b"endpoint")):
                    await drain(request, response, outbox)
    return response


async def post(request: web.Request, principal: Principal) -> web.StreamResponse:
    """A message of the client's; answers go to the stream."""
    session, way = await _session(request, principal)
    body = await read(request, request.app[keys.SETTINGS].body_timeout_s)
    try:
        value = parse(body)
        if isinstance(value, list):
            _batch(request, principal, session, OnSse(way), value)
        else:
            await _one(request, principal, session, OnSse(way), message(value))
    except RpcError as error:
        return json_answer(400, error_bytes(error, request.get(keys.ID, error.id)))
    return web.Response(status=202, text="Accepted")


async def _session(request: web.Request, principal: Principal) -> tuple[Session, Way]:
    """The session, and the way to its stream, which another replica may hold."""
    ids = request.query.getall("sessionId", [])
    if len(ids) != 1 or not ids[0]:
        raise Refused(400, "sessionId is missing; open GET /sse and post to the address that it announces")
    session = await request.app[keys.STREAMS].find(ids[0], principal.owner)
    way = None if session is None else session.outbox or session.away
    if session is None or way is None:
        raise Refused(404, "Session not found; open GET /sse again")
    return session, way


async def _one(request: web.Request, principal: Principal, session: Session, channel: OnSse, item: Message) -> None:
    if not isinstance(item, Request):
        session.receive(item)
        return
    request[keys.ID] = item.id
    if item.method == "initialize":
        await channel.send(await _initialized(request, session, item))
    else:
        request.app[keys.WORK].start(_context(request, principal, session, channel), item, channel)


async def _initialized(request: web.Request, session: Session, item: Request) -> bytes:
    try:
        session.caller = lifecycle.hello(item)
        await session.save()
    except RpcError as error:
        return error_bytes(error, item.id)
    return result_bytes(item.id, lifecycle.welcome(request[keys.OFFER], session.caller))


def _context(request: web.Request, principal: Principal, session: Session, channel: OnSse) -> Context:
    app = request.app
    connect, act_for = ways(app[keys.CONNECTOR], principal, session)
    shared, offer = app[keys.SHARED], request[keys.OFFER]
    return Context(offer, session.caller, principal.owner, connect, channel, shared, session, act_for=act_for)


def _batch(
    request: web.Request, principal: Principal, session: Session, channel: OnSse, values: list[Any]
) -> None:
    if not session.caller.revision.has("batches"):
        raise RpcError(INVALID_REQUEST, "Invalid Request: this session's revision has no batches")
    read = messages(values)
    if not taken(session, read):
        context = _context(request, principal, session, channel)
        request.app[keys.WORK].start_batch(context, session, read, channel)
