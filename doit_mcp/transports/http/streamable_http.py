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
    message,
    parse,
    result_bytes,
)
from ...protocol.request_metadata import Caller
from ...resilience.compute_thread import in_thread_unless_full
from ...server.batches import messages, taken
from ...server.credential_expiry import Lease
from ...server.dispatcher import AT_ONCE, answer
from ...server.handlers import lifecycle
from ...server.handlers.subscriptions import MAX_BODY_BYTES
from ...server.request_context import NOWHERE, Channel, Context
from ...server.sessions import Session
from . import app_keys
from .access import sign_in
from .api_access import lease_of, ways
from .body_memory import Share
from .buffered_response import Whole
from .first_event_delay import Hearts
from .get_streams import follow, listen
from .post_response import Answer, whole
from .request_body import EVENTS, MAX_IN_PLACE_BYTES, Refused, read, takes
from .stream_recorder import Recording

SESSION_ID = "Mcp-Session-Id"
LISTEN = "subscriptions/listen"
NO_RESPONSES = "Invalid Request: a client of this revision sends no responses"


class Streamable:
    """The endpoint's three methods. What they need of *app* is taken once, since every request needs it."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._settings, self._work, self._shared = app[app_keys.SETTINGS], app[app_keys.WORK], app[app_keys.SHARED]
        self._bodies = app[app_keys.BODIES]
        self._sessions, self._streams, self._replays = (
            app[app_keys.SESSIONS],
            app[app_keys.STREAMS],
            app[app_keys.REPLAYS],
        )
        self._hearts = Hearts(self._settings.keep_alive_s)

    async def post(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """A message from the client."""
        with self._bodies.share(principal.owner) as share:
            return await self._post(request, principal, share)

    async def _post(self, request: web.Request, principal: Principal, share: Share) -> web.StreamResponse:
        body = await read(request, self._settings.body_timeout_s, share)
        try:
            size = len(body)
            value = parse(body) if size <= MAX_IN_PLACE_BYTES else await in_thread_unless_full(parse, body)
            # The text is not needed any more, however long the work takes.
            del body
            if isinstance(value, list):
                return await self._batch(request, principal, value, share)
            item = message(value)
            if isinstance(item, Request):
                request[app_keys.ID] = item.id
            if request_metadata.speaks_envelope(request.headers, item):
                return await self._enveloped(request, principal, item, size)
            return await self._handshaken(request, principal, item, share)
        except RpcError as error:
            return whole(400, error_bytes(error, request.get(app_keys.ID, error.id)))

    async def _enveloped(
        self, request: web.Request, principal: Principal, item: Message, size: int
    ) -> web.StreamResponse:
        if isinstance(item, Response):
            raise RpcError(INVALID_REQUEST, NO_RESPONSES, id=item.id)
        if isinstance(item, Notification):
            request_metadata.check_notification(item, request.headers)
            return Whole(202, b"", ())
        caller = request_metadata.envelope(item, request.headers)
        if item.method in AT_ONCE:
            context = self._context(request, principal, caller, NOWHERE)
            return whole(*await answer(context, item), events_alone=not takes(request).json)
        if item.method == LISTEN:
            if size > MAX_BODY_BYTES:
                text = f"Invalid Request: {LISTEN} has {size} bytes; at most {MAX_BODY_BYTES} are allowed"
                raise RpcError(INVALID_REQUEST, text, id=item.id)
            if not takes(request).events:
                raise Refused(406, f"Accept must allow {EVENTS} for {LISTEN}")
            await self._streams.room(principal.owner)
            with self._streams.place(principal.owner), lease_of(self._app, principal) as lease:
                return await self._while_connected(request, principal, caller, item, lease)
        if self._work.admission is not None:
            await self._work.admission.ask(principal.owner, item)
        slots = self._work.slots
        slots.take(principal.owner)
        try:
            return await self._while_connected(request, principal, caller, item)
        finally:
            slots.give_back(principal.owner)

    async def _while_connected(
        self, request: web.Request, principal: Principal, caller: Caller, item: Request, lease: Lease | None = None
    ) -> web.StreamResponse:
        """The connection is the request: when it goes, this handler is cancelled, and with it the work (Cancellation)."""
        with self._answer(request) as reply:
            context = self._context(request, principal, caller, reply, lease=lease)
            answered = await answer(context, item)
            # Before the client hears of a task, it can be asked for.
            await context.shared.tasks.settled()
            await reply.finish(*answered)
            return await reply.settled()

    async def _handshaken(
        self, request: web.Request, principal: Principal, item: Message, share: Share
    ) -> web.StreamResponse:
        if isinstance(item, Request) and item.method == "initialize":
            return await self._initialize(request, principal, item)
        session = await self._session(request, principal)
        if session is None:
            caller = request_metadata.stateless_handshake(request.headers)
        else:
            request_metadata.check_session_version(session.caller.revision, request.headers)
            caller = session.caller
        if not isinstance(item, Request):
            if session is not None:
                session.receive(item)
            return Whole(202, b"", ())
        if item.method in AT_ONCE:
            context = self._context(request, principal, caller, NOWHERE, session)
            return whole(*await answer(context, item), events_alone=not takes(request).json)
        # The work goes on when the client leaves (Transports, Sending Messages to the Server).
        with self._answer(request, session, (item.id,)) as reply:
            if self._work.admission is not None:
                await self._work.admission.ask(principal.owner, item)
            context = self._context(request, principal, caller, reply, session)
            share.keep_until_done(self._work.start(context, item, reply))
            return await reply.settled()

    async def _initialize(self, request: web.Request, principal: Principal, item: Request) -> web.StreamResponse:
        if SESSION_ID in request.headers:
            await self._session(request, principal)
            raise RpcError(INVALID_REQUEST, "Invalid Request: this session is initialized already", id=item.id)
        try:
            caller = lifecycle.hello(item)
        except RpcError as error:
            return whole(200, error_bytes(error, item.id))
        session = await self._sessions.open(principal.owner, caller)
        body = result_bytes(item.id, lifecycle.welcome(request[app_keys.OFFER], caller))
        return whole(200, body, {SESSION_ID: session.id}, events_alone=not takes(request).json)

    async def _session(self, request: web.Request, principal: Principal) -> Session | None:
        """The session that the request names, None when it names none; Refused 404 for one that is not theirs."""
        values = request.headers.getall(SESSION_ID, [])
        if not values:
            return None
        session = await self._sessions.find(values[0], principal.owner) if len(values) == 1 else None
        if session is None:
            raise Refused(404, "Session not found; start over with initialize")
        return session

    def _answer(self, request: web.Request, session: Session | None = None, ids: Sequence[Id] = ()) -> Answer:
        recording = None
        if session is not None and session.caller.revision.has("resumption"):
            recording = Recording(self._replays, session, ids)
        json, events = takes(request)
        return Answer(request, may_stream=events, events_alone=not json, hearts=self._hearts, recording=recording)

    def _context(
        self,
        request: web.Request,
        principal: Principal,
        caller: Caller,
        channel: Channel,
        session: Session | None = None,
        lease: Lease | None = None,
    ) -> Context:
        connect, act_for, tenant = ways(self._app[app_keys.CONNECTOR], principal, session)
        shared, offer = self._shared, request[app_keys.OFFER]
        return Context(
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
            partial(sign_in, self._settings.resource_url, request.raw_path),
            lease,
            tenant,
        )

    async def _batch(
        self, request: web.Request, principal: Principal, values: list[Any], share: Share
    ) -> web.StreamResponse:
        if request_metadata.speaks_envelope(request.headers, None):
            raise RpcError(INVALID_REQUEST, "Invalid Request: this revision has no batches; send one message")
        session = await self._session(request, principal)
        if session is None or not session.caller.revision.has("batches"):
            raise RpcError(INVALID_REQUEST, "Invalid Request: batches need a session of the revision that has them")
        request_metadata.check_session_version(session.caller.revision, request.headers)
        read = messages(values)
        if taken(session, read):
            return Whole(202, b"", ())
        with self._answer(request, session, [item.id for item in read if isinstance(item, Request)]) as reply:
            context = self._context(request, principal, session.caller, reply, session)
            if self._work.admission is not None:
                await self._work.admission.ask(principal.owner, *read)
            share.keep_until_done(self._work.start_batch(context, session, read, reply))
            return await reply.settled()

    async def get(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """The stream for what belongs to no request, or the rest of one that was lost."""
        session = await self._for_stream(request, principal)
        if not takes(request).events:
            raise Refused(406, f"Accept must allow {EVENTS}")
        last = request.headers.get("Last-Event-ID") if session.caller.revision.has("resumption") else None
        await self._streams.room(principal.owner)
        with self._streams.place(principal.owner), lease_of(self._app, principal) as lease:
            if last is not None:
                return await follow(request, session, last, lease)
            return await listen(request, session, lease)

    async def _for_stream(self, request: web.Request, principal: Principal) -> Session:
        if request_metadata.speaks_envelope(request.headers, None):
            raise Refused(405, "This revision has no GET and no DELETE here", {"Allow": "POST"})
        session = await self._session(request, principal)
        if session is None:
            raise Refused(400, f"{SESSION_ID} is missing")
        try:
            request_metadata.check_session_version(session.caller.revision, request.headers)
        except RpcError as error:
            raise Refused(400, error.message) from None
        return session

    async def delete(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        """The client ends its session."""
        await self._sessions.close(await self._for_stream(request, principal))
        return web.Response(status=204)
