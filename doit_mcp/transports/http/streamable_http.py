"""The Streamable HTTP transport on ``/mcp``, for all protocol revisions. Each request shows which one it uses."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from ...auth.principal import Principal
from ...protocol import request_metadata
from ...protocol.jsonrpc import INVALID_REQUEST, Notification, Request, Response, RpcError, error_bytes
from ...protocol.request_metadata import SESSION_ID_HEADER, Caller
from ...protocol.revisions import LISTEN_METHOD
from ...server.batches import BATCHES_UNSUPPORTED
from ...server.credential_expiry import StreamLease
from ...server.handlers.subscriptions import MAX_BODY_BYTES
from ...server.message_queue import MessageQueue
from ...server.payloads import Payload, parse_payload
from ...server.sender import Sender
from ...server.session_revival import announce_revival
from ...server.sessions import Session
from . import app_keys
from .api_access import SenderFactory, start_stream_lease
from .body_memory import BodyShare
from .buffered_response import BufferedResponse, make_response
from .event_stream import EventStream, format_event
from .post_response import PostResponse
from .request_body import EVENT_STREAM_TYPE, RequestRejected, parse_accept, read_body

ONLY_POST = {"Allow": "POST"}
NO_VALUES: list[str] = []
RESPONSES_NOT_ALLOWED = "Invalid Request: clients of this protocol version do not send responses"


class StreamableHttpEndpoint:
    """Handles POST, GET and DELETE. Lookups in *app* are done once, not per request."""

    def __init__(self, app: web.Application) -> None:
        self._app, self._make_sender = app, SenderFactory(app).make_sender
        self._settings, self._endpoint, self._services = (
            app[app_keys.SETTINGS],
            app[app_keys.MESSAGE_ENDPOINT],
            app[app_keys.SERVICES],
        )
        self._bodies, self._keepalive = app[app_keys.BODY_MEMORY], app[app_keys.KEEPALIVE]
        self._sessions, self._streams, self._event_store = (
            app[app_keys.SESSIONS],
            app[app_keys.STREAM_LIMITER],
            app[app_keys.EVENT_STORE],
        )

    async def post(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """Handle a message or a batch of messages."""
        accepted = parse_accept(request)
        with (
            self._bodies.share(principal.owner) as share,
            PostResponse(request, accepted, self._keepalive, self._event_store) as response,
        ):
            body = await read_body(request, accepted, self._settings.body_timeout_s, share)
            try:
                size = len(body)
                payload = await parse_payload(body)
                # Free its memory: a request may take long, and needs only the parsed payload.
                del body
                if isinstance(payload, Request):
                    request[app_keys.REQUEST_ID] = payload.id
                sender = self._make_sender(request, principal, request.headers)
                single = None if isinstance(payload, list) else payload
                if request_metadata.is_stateless_request(request.headers, single):
                    return await self._handle_stateless(request, principal, sender, payload, size, response)
                return await self._handle_stateful(request, principal, sender, payload, share, response)
            except RpcError as error:
                return make_response(400, error_bytes(error, request.get(app_keys.REQUEST_ID, error.id)))

    async def _handle_stateless(
        self,
        request: web.Request,
        principal: Principal,
        sender: Sender,
        payload: Payload,
        size: int,
        response: PostResponse,
    ) -> web.StreamResponse:
        """Handle a stateless payload. If the connection is lost, aiohttp cancels this handler and the request."""
        if not isinstance(payload, Request):
            return _accept_stateless(payload, request)
        caller = request_metadata.read_request_metadata(payload, request.headers)
        if payload.method == LISTEN_METHOD:
            await self._listen(principal, sender, caller, payload, size, response)
        else:
            await self._endpoint.answer(sender, caller, payload, response)
        # Already set: stateless requests are handled within this call.
        assert response.response is not None
        return response.response

    async def _listen(
        self, principal: Principal, sender: Sender, caller: Caller, item: Request, size: int, response: PostResponse
    ) -> None:
        """Handle ``subscriptions/listen``, which counts as an open stream rather than as a call."""
        if size > MAX_BODY_BYTES:
            text = f"Invalid Request: {LISTEN_METHOD} has {size} bytes; at most {MAX_BODY_BYTES} are allowed"
            raise RpcError(INVALID_REQUEST, text, id=item.id)
        if not response.may_stream:
            raise RequestRejected(406, f"Accept must allow {EVENT_STREAM_TYPE} for {LISTEN_METHOD}")
        await self._streams.check_quota(principal.owner)
        with self._streams.make_slot(principal.owner), start_stream_lease(self._app, principal) as lease:
            await self._endpoint.answer_stream(sender, caller, item, response, lease)

    async def _handle_stateful(
        self,
        request: web.Request,
        principal: Principal,
        sender: Sender,
        payload: Payload,
        share: BodyShare,
        response: PostResponse,
    ) -> web.StreamResponse:
        """Handle a stateful payload.

        Its requests continue if the connection is lost (Transports, Sending Messages to the Server).
        """
        ids = _session_ids(request)
        session = await self._sessions.find(ids[0], principal.owner) if len(ids) == 1 else None
        if isinstance(payload, Request) and payload.method == "initialize":
            # A session that ended, or was revived after a restart, does not matter: its client starts over.
            if session is not None and not session.is_revived:
                raise RpcError(INVALID_REQUEST, "Invalid Request: this session is already initialized", id=payload.id)
            await response.finish(200, await self._initialize(principal, sender, payload, response))
            return await response.wait_for_response()
        if session is None:
            if ids:
                raise _session_not_found()
            caller = request_metadata.read_sessionless_caller(request.headers)
        else:
            caller = session.caller
            request_metadata.check_session_version(caller.revision, request.headers)
        task = await self._endpoint.handle(sender, caller, session, payload, response)
        if task is not None:
            share.keep_until_done(task)
        elif response.response is None:
            return BufferedResponse(202, b"", ())
        return await response.wait_for_response()

    async def _initialize(self, principal: Principal, sender: Sender, item: Request, response: PostResponse) -> bytes:
        async def open_session(caller: Caller) -> None:
            session = await self._sessions.open(principal.owner, caller)
            response.headers = {SESSION_ID_HEADER: session.id}

        return await self._endpoint.initialize(sender, item, open_session)

    async def get(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """Open the stream for messages outside requests, or resume a stream that was lost."""
        session = await self._require_session(request, principal)
        if not parse_accept(request).events:
            raise RequestRejected(406, f"Accept must allow {EVENT_STREAM_TYPE}")
        last_event_id = request.headers.get("Last-Event-ID") if session.caller.revision.supports("resumption") else None
        await self._streams.check_quota(principal.owner)
        with self._streams.make_slot(principal.owner), start_stream_lease(self._app, principal) as lease:
            if last_event_id is not None:
                return await self._resume_stream(request, session, last_event_id, lease)
            return await self._stream_notifications(request, session, lease)

    async def _stream_notifications(
        self, request: web.Request, session: Session, lease: StreamLease
    ) -> web.StreamResponse:
        """Send the server's own messages. A newer stream of the session replaces this one."""
        queue = MessageQueue()
        session.attach_queue(queue)
        if session.announces_revival:
            announce_revival(session, request[app_keys.CATALOG], queue)
        lease.on_end(queue.close)
        try:
            # Subscribe before the response begins: from then on, the client may rely on receiving every change.
            with self._services.notification_hub.subscribe(session.owner, session.send_change, queue):
                async with EventStream(request, self._keepalive) as stream:
                    await stream.forward_messages(queue)
        finally:
            session.detach_queue(queue)
        return stream

    async def _resume_stream(
        self, request: web.Request, session: Session, last_event_id: str, lease: StreamLease
    ) -> web.StreamResponse:
        """Send the past and future events after *last_event_id* on its stream (Resumability and Redelivery)."""
        events = await self._event_store.events_after(session.id, last_event_id)
        if events is None:
            raise RequestRejected(404, "Last-Event-ID is unknown or has expired; send the request again")
        async with EventStream(request, self._keepalive) as stream:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    lease.on_end(lambda: limit.reschedule(0))
                    async for id, data in events:
                        if not await stream.write_event(format_event(data, id)):
                            break
        return stream

    async def _require_session(self, request: web.Request, principal: Principal) -> Session:
        if request_metadata.is_stateless_request(request.headers, None):
            raise RequestRejected(405, "GET and DELETE are not supported by this protocol version", ONLY_POST)
        ids = _session_ids(request)
        if not ids:
            # Clients that probe with GET go on after 405 (Listening for Messages from the Server).
            status, headers = (405, ONLY_POST) if request.method == "GET" else (400, None)
            raise RequestRejected(status, f"{SESSION_ID_HEADER} is missing; POST initialize opens a session", headers)
        session = await self._sessions.find(ids[0], principal.owner) if len(ids) == 1 else None
        if session is None:
            raise _session_not_found()
        try:
            request_metadata.check_session_version(session.caller.revision, request.headers)
        except RpcError as error:
            raise RequestRejected(400, error.message) from None
        return session

    async def delete(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """End the session."""
        await self._sessions.close(await self._require_session(request, principal))
        return web.Response(status=204)


def _session_ids(request: web.Request) -> list[str]:
    """Return the session ids of a request. An empty header is absent."""
    ids = request.headers.getall(SESSION_ID_HEADER, NO_VALUES)
    return [id for id in ids if id] if "" in ids else ids


def _session_not_found() -> RequestRejected:
    return RequestRejected(404, "Session not found; start over with initialize")


def _accept_stateless(payload: Payload, request: web.Request) -> web.StreamResponse:
    """Accept a stateless notification. Raise RpcError for any other payload that is not a request."""
    if isinstance(payload, list):
        raise RpcError(INVALID_REQUEST, BATCHES_UNSUPPORTED)
    if isinstance(payload, Response):
        raise RpcError(INVALID_REQUEST, RESPONSES_NOT_ALLOWED, id=payload.id)
    assert isinstance(payload, Notification)
    request_metadata.check_notification_version(request.headers)
    return BufferedResponse(202, b"", ())
