"""``/mcp``: Streamable HTTP of all revisions, each request judged by itself (Streamable HTTP; Transports)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import web

from ...auth.principal import Principal
from ...protocol import request_metadata
from ...protocol.jsonrpc import (
    INVALID_REQUEST,
    Id,
    Message,
    Notification,
    Request,
    Response,
    RpcError,
    error_bytes,
    parse_json,
    parse_message,
    result_bytes,
)
from ...protocol.request_metadata import Caller
from ...resilience.compute_thread import run_in_thread_unless_full
from ...server.batches import parse_batch, receive_if_no_requests
from ...server.credential_expiry import StreamLease
from ...server.dispatcher import INLINE_METHODS, dispatch_request
from ...server.handlers import lifecycle
from ...server.handlers.subscriptions import MAX_BODY_BYTES
from ...server.request_context import NULL_CHANNEL, Channel, RequestContext
from ...server.sessions import Session
from . import app_keys
from .access import sign_in_challenge
from .api_access import resolve_api_access, start_stream_lease
from .body_memory import BodyShare
from .buffered_response import BufferedResponse
from .first_event_delay import FirstEventDelay
from .get_streams import resume_stream, stream_notifications
from .post_response import PostResponse, make_response
from .request_body import EVENT_STREAM_TYPE, MAX_INLINE_PARSE_BYTES, RequestRejected, parse_accept, read_body
from .stream_recorder import StreamRecorder

SESSION_ID_HEADER = "Mcp-Session-Id"
LISTEN_METHOD = "subscriptions/listen"
RESPONSES_NOT_ALLOWED = "Invalid Request: a client of this revision sends no responses"


class StreamableHttpEndpoint:
    """The endpoint's three methods. What they need of *app* is taken once, since every request needs it."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._settings, self._runner, self._services = (
            app[app_keys.SETTINGS],
            app[app_keys.REQUEST_RUNNER],
            app[app_keys.SERVICES],
        )
        self._bodies = app[app_keys.BODY_MEMORY]
        self._sessions, self._streams, self._event_store = (
            app[app_keys.SESSIONS],
            app[app_keys.STREAM_LIMITER],
            app[app_keys.EVENT_STORE],
        )
        self._first_event_delay = FirstEventDelay(self._settings.keep_alive_s)

    async def post(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """A message from the client."""
        with self._bodies.share(principal.owner) as share:
            return await self._handle_post(request, principal, share)

    async def _handle_post(self, request: web.Request, principal: Principal, share: BodyShare) -> web.StreamResponse:
        body = await read_body(request, self._settings.body_timeout_s, share)
        try:
            size = len(body)
            value = (
                parse_json(body)
                if size <= MAX_INLINE_PARSE_BYTES
                else await run_in_thread_unless_full(parse_json, body)
            )
            # The text is not needed any more, however long the work takes.
            del body
            if isinstance(value, list):
                return await self._handle_batch(request, principal, value, share)
            item = parse_message(value)
            if isinstance(item, Request):
                request[app_keys.REQUEST_ID] = item.id
            if request_metadata.is_stateless_request(request.headers, item):
                return await self._handle_stateless(request, principal, item, size)
            return await self._handle_stateful(request, principal, item, share)
        except RpcError as error:
            return make_response(400, error_bytes(error, request.get(app_keys.REQUEST_ID, error.id)))

    async def _handle_stateless(
        self, request: web.Request, principal: Principal, item: Message, size: int
    ) -> web.StreamResponse:
        if isinstance(item, Response):
            raise RpcError(INVALID_REQUEST, RESPONSES_NOT_ALLOWED, id=item.id)
        if isinstance(item, Notification):
            request_metadata.check_notification_version(item, request.headers)
            return BufferedResponse(202, b"", ())
        caller = request_metadata.read_request_metadata(item, request.headers)
        if item.method in INLINE_METHODS:
            context = self._make_context(request, principal, caller, NULL_CHANNEL)
            return make_response(*await dispatch_request(context, item), events_only=not parse_accept(request).json)
        if item.method == LISTEN_METHOD:
            if size > MAX_BODY_BYTES:
                text = f"Invalid Request: {LISTEN_METHOD} has {size} bytes; at most {MAX_BODY_BYTES} are allowed"
                raise RpcError(INVALID_REQUEST, text, id=item.id)
            if not parse_accept(request).events:
                raise RequestRejected(406, f"Accept must allow {EVENT_STREAM_TYPE} for {LISTEN_METHOD}")
            await self._streams.check_quota(principal.owner)
            with self._streams.slot(principal.owner), start_stream_lease(self._app, principal) as lease:
                return await self._answer_while_connected(request, principal, caller, item, lease)
        if self._runner.admission is not None:
            await self._runner.admission.admit(principal.owner, item)
        slots = self._runner.limiter
        slots.acquire(principal.owner)
        try:
            return await self._answer_while_connected(request, principal, caller, item)
        finally:
            slots.release(principal.owner)

    async def _answer_while_connected(
        self,
        request: web.Request,
        principal: Principal,
        caller: Caller,
        item: Request,
        lease: StreamLease | None = None,
    ) -> web.StreamResponse:
        """The connection is the request: when it goes, this handler is cancelled, and with it the work (Cancellation)."""
        with self._open_response(request) as reply:
            context = self._make_context(request, principal, caller, reply, lease=lease)
            answered = await dispatch_request(context, item)
            # Before the client hears of a task, it can be asked for.
            await context.services.tasks.wait_until_saved()
            await reply.finish(*answered)
            return await reply.wait_for_response()

    async def _handle_stateful(
        self, request: web.Request, principal: Principal, item: Message, share: BodyShare
    ) -> web.StreamResponse:
        if isinstance(item, Request) and item.method == "initialize":
            return await self._initialize(request, principal, item)
        session = await self._find_session(request, principal)
        if session is None:
            caller = request_metadata.read_sessionless_caller(request.headers)
        else:
            request_metadata.check_session_version(session.caller.revision, request.headers)
            caller = session.caller
        if not isinstance(item, Request):
            if session is not None:
                session.receive(item)
            return BufferedResponse(202, b"", ())
        if item.method in INLINE_METHODS:
            context = self._make_context(request, principal, caller, NULL_CHANNEL, session)
            return make_response(*await dispatch_request(context, item), events_only=not parse_accept(request).json)
        # The work goes on when the client leaves (Transports, Sending Messages to the Server).
        with self._open_response(request, session, (item.id,)) as reply:
            if self._runner.admission is not None:
                await self._runner.admission.admit(principal.owner, item)
            context = self._make_context(request, principal, caller, reply, session)
            share.keep_until_done(self._runner.start(context, item, reply))
            return await reply.wait_for_response()

    async def _initialize(self, request: web.Request, principal: Principal, item: Request) -> web.StreamResponse:
        if SESSION_ID_HEADER in request.headers:
            await self._find_session(request, principal)
            raise RpcError(INVALID_REQUEST, "Invalid Request: this session is initialized already", id=item.id)
        try:
            caller = lifecycle.read_initialize(item)
        except RpcError as error:
            return make_response(200, error_bytes(error, item.id))
        session = await self._sessions.open(principal.owner, caller)
        body = result_bytes(item.id, lifecycle.initialize_result(request[app_keys.CATALOG], caller))
        return make_response(200, body, {SESSION_ID_HEADER: session.id}, events_only=not parse_accept(request).json)

    async def _find_session(self, request: web.Request, principal: Principal) -> Session | None:
        """The session that the request names, None when it names none; Refused 404 for one that is not theirs."""
        values = request.headers.getall(SESSION_ID_HEADER, [])
        if not values:
            return None
        session = await self._sessions.find(values[0], principal.owner) if len(values) == 1 else None
        if session is None:
            raise RequestRejected(404, "Session not found; start over with initialize")
        return session

    def _open_response(
        self, request: web.Request, session: Session | None = None, ids: Sequence[Id] = ()
    ) -> PostResponse:
        recording = None
        if session is not None and session.caller.revision.supports("resumption"):
            recording = StreamRecorder(self._event_store, session, ids)
        json, events = parse_accept(request)
        return PostResponse(
            request,
            may_stream=events,
            events_only=not json,
            first_event_delay=self._first_event_delay,
            recorder=recording,
        )

    def _make_context(
        self,
        request: web.Request,
        principal: Principal,
        caller: Caller,
        channel: Channel,
        session: Session | None = None,
        lease: StreamLease | None = None,
    ) -> RequestContext:
        connect, act_for, tenant = resolve_api_access(self._app[app_keys.API_FACTORY], principal, session)
        shared, offer = self._services, request[app_keys.CATALOG]
        return RequestContext(
            offer,
            caller,
            principal.owner,
            connect,
            channel,
            shared,
            session,
            request.headers,
            act_for,
            principal,
            partial(sign_in_challenge, self._settings.resource_url, request.raw_path),
            lease,
            tenant,
        )

    async def _handle_batch(
        self, request: web.Request, principal: Principal, values: list[Any], share: BodyShare
    ) -> web.StreamResponse:
        if request_metadata.is_stateless_request(request.headers, None):
            raise RpcError(INVALID_REQUEST, "Invalid Request: this revision has no batches; send one message")
        session = await self._find_session(request, principal)
        if session is None or not session.caller.revision.supports("batches"):
            raise RpcError(INVALID_REQUEST, "Invalid Request: batches need a session of the revision that has them")
        request_metadata.check_session_version(session.caller.revision, request.headers)
        read = parse_batch(values)
        if receive_if_no_requests(session, read):
            return BufferedResponse(202, b"", ())
        with self._open_response(request, session, [item.id for item in read if isinstance(item, Request)]) as reply:
            context = self._make_context(request, principal, session.caller, reply, session)
            if self._runner.admission is not None:
                await self._runner.admission.admit(principal.owner, *read)
            share.keep_until_done(self._runner.start_batch(context, session, read, reply))
            return await reply.wait_for_response()

    async def get(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """The stream for what belongs to no request, or the rest of one that was lost."""
        session = await self._require_session(request, principal)
        if not parse_accept(request).events:
            raise RequestRejected(406, f"Accept must allow {EVENT_STREAM_TYPE}")
        last = request.headers.get("Last-Event-ID") if session.caller.revision.supports("resumption") else None
        await self._streams.check_quota(principal.owner)
        with self._streams.slot(principal.owner), start_stream_lease(self._app, principal) as lease:
            if last is not None:
                return await resume_stream(request, session, last, lease)
            return await stream_notifications(request, session, lease)

    async def _require_session(self, request: web.Request, principal: Principal) -> Session:
        if request_metadata.is_stateless_request(request.headers, None):
            raise RequestRejected(405, "This revision has no GET and no DELETE here", {"Allow": "POST"})
        session = await self._find_session(request, principal)
        if session is None:
            raise RequestRejected(400, f"{SESSION_ID_HEADER} is missing")
        try:
            request_metadata.check_session_version(session.caller.revision, request.headers)
        except RpcError as error:
            raise RequestRejected(400, error.message) from None
        return session

    async def delete(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """The client ends its session."""
        await self._sessions.close(await self._require_session(request, principal))
        return web.Response(status=204)
