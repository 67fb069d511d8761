"""``/sse`` and ``/sse/message``: the transport of 2024, for connectors that still speak it (HTTP with SSE)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from ...auth.principal import Principal
from ...protocol.jsonrpc import INVALID_REQUEST, Message, Request, RpcError, error_bytes, message, parse, result_bytes
from ...protocol.request_metadata import Caller
from ...protocol.revisions import UNSAID
from ...resilience.compute_thread import in_thread_unless_full
from ...server.batches import messages, taken
from ...server.handlers import lifecycle
from ...server.message_queue import Outbox
from ...server.request_context import Context
from ...server.sessions import Session, Way
from . import app_keys
from .access import sign_in
from .api_access import expiry, lease_of, ways
from .buffered_response import Whole
from .catalog_selection import selecting
from .event_stream import EventStream
from .post_response import whole
from .request_body import EVENTS, MAX_IN_PLACE_BYTES, Refused, read, takes
from .sse_writer import event

MESSAGES = "/sse/message"
PLAIN = (("Content-Type", "text/plain; charset=utf-8"),)
# Before initialize says who it is.
NOBODY_YET = Caller(UNSAID)


class OnSse:
    """Channel and destination of a request whose answers go to the session's stream."""

    __slots__ = ("_way",)
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


class Legacy:
    """The methods of both endpoints. What they need of *app* is taken once, since every request needs it."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._settings, self._streams = app[app_keys.SETTINGS], app[app_keys.STREAMS]
        self._work, self._shared = app[app_keys.WORK], app[app_keys.SHARED]
        self._leases = app[app_keys.LEASES]
        self._bodies = app[app_keys.BODIES]

    async def get(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """Open the stream; its first event says where to post. The session lives as long as the stream."""
        if not takes(request).events:
            raise Refused(406, f"Accept must allow {EVENTS}")
        outbox, streams = Outbox(), self._streams
        await streams.room(principal.owner)
        with streams.place(principal.owner), lease_of(self._app, principal) as lease:
            lease.on_end(outbox.close)
            session = await streams.sessions.open(principal.owner, NOBODY_YET, outbox)
            self._leases.sessions[session.id] = lease
            try:
                with self._shared.hub.listening(session.owner, session.hear, outbox):
                    async with EventStream(request) as stream:
                        if await stream.say(event(self._address(request, session).encode(), name=b"endpoint")):
                            await stream.tell(outbox)
            finally:
                del self._leases.sessions[session.id]
                # What runs in it is stopped (security L1).
                await streams.sessions.close(session)
        return stream

    def _address(self, request: web.Request, session: Session) -> str:
        prefix = urlsplit(self._settings.resource_url).path
        return f"{prefix}{MESSAGES}?{urlencode({'sessionId': session.id} | selecting(request))}"

    async def post(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """A message of the client's; answers go to the stream."""
        session, way = await self._session(request, principal)
        # The stream is the session, and a client that renewed its token goes on with it.
        self._leases.renew(session.id, principal.digest, expiry(principal))
        with self._bodies.share(principal.owner) as share:
            body = await read(request, self._settings.body_timeout_s, share)
            try:
                value = parse(body) if len(body) <= MAX_IN_PLACE_BYTES else await in_thread_unless_full(parse, body)
                if isinstance(value, list):
                    started = await self._batch(request, principal, session, OnSse(way), value)
                else:
                    started = await self._one(request, principal, session, OnSse(way), message(value))
            except RpcError as error:
                return whole(400, error_bytes(error, request.get(app_keys.ID, error.id)))
            if started is not None:
                share.keep_until_done(started)
        return Whole(202, b"Accepted", PLAIN)

    async def _session(self, request: web.Request, principal: Principal) -> tuple[Session, Way]:
        """The session, and the way to its stream, which another replica may hold."""
        ids = request.query.getall("sessionId", [])
        if len(ids) != 1 or not ids[0]:
            raise Refused(400, "sessionId is missing; open GET /sse and post to the address that it announces")
        session = await self._streams.find(ids[0], principal.owner)
        way = None if session is None else session.outbox or session.away
        if session is None or way is None:
            raise Refused(404, "Session not found; open GET /sse again")
        return session, way

    async def _one(
        self, request: web.Request, principal: Principal, session: Session, channel: OnSse, item: Message
    ) -> asyncio.Task[None] | None:
        if not isinstance(item, Request):
            session.receive(item)
            return None
        request[app_keys.ID] = item.id
        if item.method == "initialize":
            await channel.send(await self._initialized(request, session, item))
            return None
        if self._work.admission is not None:
            await self._work.admission.ask(principal.owner, item)
        return self._work.start(self._context(request, principal, session, channel), item, channel)

    async def _initialized(self, request: web.Request, session: Session, item: Request) -> bytes:
        try:
            session.caller = lifecycle.hello(item)
            await session.save()
        except RpcError as error:
            return error_bytes(error, item.id)
        return result_bytes(item.id, lifecycle.welcome(request[app_keys.OFFER], session.caller))

    def _context(self, request: web.Request, principal: Principal, session: Session, channel: OnSse) -> Context:
        connect, act_for, tenant = ways(self._app[app_keys.CONNECTOR], principal, session)
        shared, offer = self._shared, request[app_keys.OFFER]
        return Context(
            offer,
            session.caller,
            principal.owner,
            connect,
            channel,
            shared,
            session,
            None,
            act_for,
            principal,
            partial(sign_in, self._settings.resource_url, request.raw_path),
            None,
            tenant,
        )

    async def _batch(
        self, request: web.Request, principal: Principal, session: Session, channel: OnSse, values: list[Any]
    ) -> asyncio.Task[None] | None:
        if not session.caller.revision.has("batches"):
            raise RpcError(INVALID_REQUEST, "Invalid Request: this session's revision has no batches")
        read = messages(values)
        if taken(session, read):
            return None
        context = self._context(request, principal, session, channel)
        if self._work.admission is not None:
            await self._work.admission.ask(principal.owner, *read)
        return self._work.start_batch(context, session, read, channel)
