"""The HTTP+SSE transport of revision 2024-11-05 on ``/sse`` and ``/sse/message``, which some clients still use."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from ...auth.principal import Principal
from ...protocol.endpoint_urls import MESSAGES_PATH
from ...protocol.jsonrpc import Id, Request, RpcError, error_bytes
from ...protocol.request_metadata import Caller
from ...protocol.revisions import DEFAULT_REVISION
from ...server.message_queue import MessageQueue
from ...server.payloads import parse_payload
from ...server.sessions import MessageSink, Session
from . import app_keys
from .api_access import SenderFactory, credential_expiry, start_stream_lease
from .buffered_response import BufferedResponse, make_response
from .catalog_selection import selection_query
from .event_stream import EventStream, format_event
from .request_body import EVENT_STREAM_TYPE, RequestRejected, parse_accept, read_body

TEXT_HEADERS = (("Content-Type", "text/plain; charset=utf-8"),)
# Until the client sends initialize.
UNKNOWN_CALLER = Caller(DEFAULT_REVISION)


class SseChannel:
    """Sends to the stream of a session, which carries the responses to all of its requests."""

    __slots__ = ("_is_local", "_message_queue")
    may_stream = is_shared = True

    def __init__(self, message_queue: MessageSink, *, is_local: bool) -> None:
        self._message_queue, self._is_local = message_queue, is_local

    def open(self, session: Session | None, request_ids: Sequence[Id]) -> None:
        """Do nothing: the stream is already open and has its own keepalive."""

    async def send(self, data: bytes) -> None:
        """Put a message on the stream."""
        await self._message_queue.wait_for_room()
        self._message_queue.put(data)

    async def release(self) -> None:
        """Do nothing: the session would end with its stream."""

    def withhold_response(self) -> bool:
        """Return whether this process holds the stream. Messages for another replica pass through shared state."""
        return self._is_local

    async def finish(self, status: int, body: bytes) -> None:
        """Put the response on the stream."""
        await self._message_queue.wait_for_room()
        self._message_queue.put(body)

    async def finish_canceled(self) -> None:
        """Do nothing: a canceled request gets no response."""


class LegacySseEndpoint:
    """Handles GET and POST. Lookups in *app* are done once, not per request."""

    def __init__(self, app: web.Application) -> None:
        self._app, self._make_sender = app, SenderFactory(app).make_sender
        self._settings, self._streams = app[app_keys.SETTINGS], app[app_keys.STREAM_LIMITER]
        self._endpoint, self._services = app[app_keys.MESSAGE_ENDPOINT], app[app_keys.SERVICES]
        self._leases, self._keepalive = app[app_keys.STREAM_LEASES], app[app_keys.KEEPALIVE]
        self._bodies = app[app_keys.BODY_MEMORY]

    async def get(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """Open the stream. Its first event contains the URL for messages. The session lives as long as the stream."""
        if not parse_accept(request).events:
            raise RequestRejected(406, f"Accept must allow {EVENT_STREAM_TYPE}")
        queue, streams = MessageQueue(), self._streams
        await streams.check_quota(principal.owner)
        with streams.make_slot(principal.owner), start_stream_lease(self._app, principal) as lease:
            lease.on_end(queue.close)
            session = await streams.sessions.open(principal.owner, UNKNOWN_CALLER, queue)
            self._leases.by_session[session.id] = lease
            try:
                with self._services.notification_hub.subscribe(session.owner, session.send_change, queue):
                    async with EventStream(request, self._keepalive) as stream:
                        if await stream.write_event(
                            format_event(self._message_url(request, session).encode(), name=b"endpoint")
                        ):
                            await stream.forward_messages(queue)
            finally:
                del self._leases.by_session[session.id]
                # This cancels the session's requests.
                await streams.sessions.close(session)
        return stream

    def _message_url(self, request: web.Request, session: Session) -> str:
        prefix = urlsplit(self._settings.resource_url).path
        return f"{prefix}{MESSAGES_PATH}?{urlencode({'sessionId': session.id} | selection_query(request))}"

    async def post(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """Handle a message or a batch of messages. Responses are sent on the stream."""
        session, sink = await self._find_session(request, principal)
        # A client that renews its token keeps its stream and therefore its session.
        self._leases.renew(session.id, principal.digest, credential_expiry(principal))
        with self._bodies.share(principal.owner) as share:
            body = await read_body(request, parse_accept(request), self._settings.body_timeout_s, share)
            try:
                payload = await parse_payload(body)
                if isinstance(payload, Request):
                    request[app_keys.REQUEST_ID] = payload.id
                # No headers: in this transport, only the session determines the revision.
                sender = self._make_sender(request, principal, None)
                channel = SseChannel(sink, is_local=session.message_queue is sink)
                task = await self._endpoint.handle(sender, session.caller, session, payload, channel)
            except RpcError as error:
                return make_response(400, error_bytes(error, request.get(app_keys.REQUEST_ID, error.id)))
            if task is not None:
                share.keep_until_done(task)
        return BufferedResponse(202, b"Accepted", TEXT_HEADERS)

    async def _find_session(self, request: web.Request, principal: Principal) -> tuple[Session, MessageSink]:
        """Return the session and the sink of its stream, which another replica may hold. Raise RequestRejected."""
        ids = request.query.getall("sessionId", [])
        if len(ids) != 1 or not ids[0]:
            raise RequestRejected(400, "sessionId is missing; open GET /sse and post to the URL that it announces")
        session = await self._streams.sessions.find(ids[0], principal.owner)
        sink = None if session is None else session.message_queue or session.remote_queue
        if session is None or sink is None:
            raise RequestRejected(404, "Session not found; open GET /sse again")
        return session, sink
