"""``/sse`` and ``/sse/message``: the transport of 2024, for connectors that still speak it (HTTP with SSE)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from ...auth.principal import Principal
from ...protocol.jsonrpc import (
    INVALID_REQUEST,
    Message,
    Request,
    RpcError,
    error_bytes,
    parse_json,
    parse_message,
    result_bytes,
)
from ...protocol.request_metadata import Caller
from ...protocol.revisions import DEFAULT_REVISION
from ...resilience.compute_thread import run_in_thread_unless_full
from ...server.batches import parse_batch, receive_if_no_requests
from ...server.handlers import lifecycle
from ...server.message_queue import MessageQueue
from ...server.request_context import RequestContext
from ...server.sessions import MessageSink, Session
from . import app_keys
from .access import sign_in_challenge
from .api_access import expiry, resolve_api_access, start_stream_lease
from .buffered_response import BufferedResponse
from .catalog_selection import selection_query
from .event_stream import EventStream
from .post_response import make_response
from .request_body import EVENT_STREAM_TYPE, MAX_INLINE_PARSE_BYTES, RequestRejected, parse_accept, read_body
from .sse_writer import format_event

MESSAGES_PATH = "/sse/message"
TEXT_HEADERS = (("Content-Type", "text/plain; charset=utf-8"),)
# Before initialize says who it is.
UNKNOWN_CALLER = Caller(DEFAULT_REVISION)


class SseChannel:
    """Channel and destination of a request whose answers go to the session's stream."""

    __slots__ = ("_message_queue",)
    may_stream = True

    def __init__(self, message_queue: MessageSink) -> None:
        self._message_queue = message_queue

    async def send(self, data: bytes) -> None:
        """Put a message on the stream."""
        await self._message_queue.wait_for_room()
        self._message_queue.put(data)

    async def release(self) -> None:
        """The stream is the session here; it stays."""

    async def finish(self, status: int, body: bytes) -> None:
        """Put the answer on the stream."""
        await self.send(body)

    async def finish_canceled(self) -> None:
        """A cancelled request has no answer."""


class LegacySseEndpoint:
    """The methods of both endpoints. What they need of *app* is taken once, since every request needs it."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._settings, self._streams = app[app_keys.SETTINGS], app[app_keys.STREAM_LIMITER]
        self._runner, self._services = app[app_keys.REQUEST_RUNNER], app[app_keys.SERVICES]
        self._leases = app[app_keys.STREAM_LEASES]
        self._bodies = app[app_keys.BODY_MEMORY]

    async def get(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """Open the stream; its first event says where to post. The session lives as long as the stream."""
        if not parse_accept(request).events:
            raise RequestRejected(406, f"Accept must allow {EVENT_STREAM_TYPE}")
        outbox, streams = MessageQueue(), self._streams
        await streams.check_quota(principal.owner)
        with streams.slot(principal.owner), start_stream_lease(self._app, principal) as lease:
            lease.on_end(outbox.close)
            session = await streams.sessions.open(principal.owner, UNKNOWN_CALLER, outbox)
            self._leases.by_session[session.id] = lease
            try:
                with self._services.notification_hub.subscribe(session.owner, session.send_change, outbox):
                    async with EventStream(request) as stream:
                        if await stream.write_event(
                            format_event(self._message_url(request, session).encode(), name=b"endpoint")
                        ):
                            await stream.forward_messages(outbox)
            finally:
                del self._leases.by_session[session.id]
                # What runs in it is stopped.
                await streams.sessions.close(session)
        return stream

    def _message_url(self, request: web.Request, session: Session) -> str:
        prefix = urlsplit(self._settings.resource_url).path
        return f"{prefix}{MESSAGES_PATH}?{urlencode({'sessionId': session.id} | selection_query(request))}"

    async def post(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """A message of the client's; answers go to the stream."""
        session, way = await self._find_session(request, principal)
        # The stream is the session, and a client that renewed its token goes on with it.
        self._leases.renew(session.id, principal.digest, expiry(principal))
        with self._bodies.share(principal.owner) as share:
            body = await read_body(request, self._settings.body_timeout_s, share)
            try:
                value = (
                    parse_json(body)
                    if len(body) <= MAX_INLINE_PARSE_BYTES
                    else await run_in_thread_unless_full(parse_json, body)
                )
                if isinstance(value, list):
                    started = await self._handle_batch(request, principal, session, SseChannel(way), value)
                else:
                    started = await self._handle_message(
                        request, principal, session, SseChannel(way), parse_message(value)
                    )
            except RpcError as error:
                return make_response(400, error_bytes(error, request.get(app_keys.REQUEST_ID, error.id)))
            if started is not None:
                share.keep_until_done(started)
        return BufferedResponse(202, b"Accepted", TEXT_HEADERS)

    async def _find_session(self, request: web.Request, principal: Principal) -> tuple[Session, MessageSink]:
        """The session, and the way to its stream, which another replica may hold."""
        ids = request.query.getall("sessionId", [])
        if len(ids) != 1 or not ids[0]:
            raise RequestRejected(400, "sessionId is missing; open GET /sse and post to the address that it announces")
        session = await self._streams.find_session(ids[0], principal.owner)
        way = None if session is None else session.message_queue or session.remote_queue
        if session is None or way is None:
            raise RequestRejected(404, "Session not found; open GET /sse again")
        return session, way

    async def _handle_message(
        self, request: web.Request, principal: Principal, session: Session, channel: SseChannel, item: Message
    ) -> asyncio.Task[None] | None:
        if not isinstance(item, Request):
            session.receive(item)
            return None
        request[app_keys.REQUEST_ID] = item.id
        if item.method == "initialize":
            await channel.send(await self._initialize(request, session, item))
            return None
        if self._runner.admission is not None:
            await self._runner.admission.admit(principal.owner, item)
        return self._runner.start(self._make_context(request, principal, session, channel), item, channel)

    async def _initialize(self, request: web.Request, session: Session, item: Request) -> bytes:
        try:
            session.caller = lifecycle.read_initialize(item)
            await session.save()
        except RpcError as error:
            return error_bytes(error, item.id)
        return result_bytes(item.id, lifecycle.initialize_result(request[app_keys.CATALOG], session.caller))

    def _make_context(
        self, request: web.Request, principal: Principal, session: Session, channel: SseChannel
    ) -> RequestContext:
        connect, act_for, tenant = resolve_api_access(self._app[app_keys.API_FACTORY], principal, session)
        shared, offer = self._services, request[app_keys.CATALOG]
        return RequestContext(
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
            partial(sign_in_challenge, self._settings.resource_url, request.raw_path),
            None,
            tenant,
        )

    async def _handle_batch(
        self, request: web.Request, principal: Principal, session: Session, channel: SseChannel, values: list[Any]
    ) -> asyncio.Task[None] | None:
        if not session.caller.revision.supports("batches"):
            raise RpcError(INVALID_REQUEST, "Invalid Request: this session's revision has no batches")
        read = parse_batch(values)
        if receive_if_no_requests(session, read):
            return None
        context = self._make_context(request, principal, session, channel)
        if self._runner.admission is not None:
            await self._runner.admission.admit(principal.owner, *read)
        return self._runner.start_batch(context, session, read, channel)
