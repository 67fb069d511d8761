"""Handles what clients send, for every transport: parsing, initialization, admission, context and dispatch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from ..protocol.jsonrpc import (
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
from ..protocol.request_metadata import Caller, Headers, check_session_version, read_sessionless_caller
from ..resilience.compute_thread import run_in_thread_unless_full
from .batches import check_batch_support, parse_batch, receive_if_no_requests
from .credential_expiry import StreamLease
from .dispatcher import INLINE_METHODS, dispatch_request
from .handlers.lifecycle import initialize_result, read_initialize
from .operation_record import CANCELED, record_operation
from .request_context import (
    NULL_CHANNEL,
    Actor,
    ApiAccess,
    AuthChallengeFactory,
    Catalog,
    Channel,
    RequestContext,
    Services,
)
from .request_runner import RequestRunner, ResponseSink
from .sessions import Session

# Longer payloads are parsed in a thread, so that they do not block the event loop.
MAX_INLINE_PARSE_BYTES = 128 << 10

# One message, or the unparsed members of an array.
Payload = Message | list[Any]


class ResponseChannel(Channel, ResponseSink, Protocol):
    """Carries the response to a payload, and the messages that precede it.

    *is_shared* is whether it also carries responses to other payloads. Waiting for a shared channel delays those, so
    even the shortest request then runs in its own task.
    """

    @property
    def is_shared(self) -> bool: ...

    def open(self, session: Session | None, request_ids: Sequence[Id]) -> None:
        """Prepare for messages, because the requests with these ids were admitted and are about to run."""


class AdmissionPolicy(Protocol):
    """Decides whether requests may run."""

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        """Return if *messages*, a request or a batch, may run. Raise LimitExceeded otherwise."""


class AdmitAll:
    """Admits every request; the runner's limits still apply."""

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        """Raise nothing."""


class Sender(NamedTuple):
    """What a transport knows about the client that sent a payload.

    *owner* is the key of the client's principal. *resolve_api* returns the API access for a session. *headers* are
    those of the HTTP request, if the revision has to be checked against them.
    """

    catalog: Catalog
    owner: str
    resolve_api: Callable[[Session | None], ApiAccess]
    headers: Headers | None = None
    actor: Actor | None = None
    make_auth_challenge: AuthChallengeFactory | None = None


async def parse_payload(body: bytes) -> Payload:
    """Parse one message or an array. Raise RpcError -32700 or -32600, or LimitExceeded for a large body."""
    value = (
        parse_json(body) if len(body) <= MAX_INLINE_PARSE_BYTES else await run_in_thread_unless_full(parse_json, body)
    )
    return value if isinstance(value, list) else parse_message(value)


class MessageEndpoint:
    """Handles payloads. Framing, session ids, status codes and streams belong to the transports.

    Methods raise RpcError for payloads without a response on their channel, and LimitExceeded for requests that are not
    admitted.
    """

    def __init__(self, services: Services, runner: RequestRunner, admission: AdmissionPolicy | None = None) -> None:
        self._services, self._runner = services, runner
        self._admission = AdmitAll() if admission is None else admission

    async def handle(
        self,
        sender: Sender,
        session: Session | None,
        payload: Payload,
        channel: ResponseChannel,
        stateless_caller: Caller | None = None,
    ) -> asyncio.Task[None] | None:
        """Handle a payload in *session*.

        Return the task that finishes *channel*, even if the connection is lost. Return None if the response was sent
        already, or if the payload has none.

        *stateless_caller* is the caller of a request that carries its own metadata.
        """
        caller = stateless_caller or (
            session.caller if session is not None and sender.headers is None else _find_caller(sender, session)
        )
        if not isinstance(payload, Request):
            if isinstance(payload, list):
                return await self._start_batch(sender, session, payload, channel)
            if session is not None:
                self._receive(session, payload)
            return None
        if payload.method == "initialize" and session is not None and stateless_caller is None:
            await channel.finish(200, await self.initialize(sender, payload, session.set_caller))
            return None
        if payload.method in INLINE_METHODS and not channel.is_shared:
            await self._answer_inline(sender, caller, payload, channel, session)
            return None
        await self._admission.admit(sender.owner, payload)
        channel.open(session, (payload.id,))
        return self._runner.start(self._make_context(sender, caller, channel, session), payload, channel)

    async def initialize(self, sender: Sender, request: Request, begin: Callable[[Caller], Awaitable[None]]) -> bytes:
        """Call *begin* to start a session for the caller of *request*, an ``initialize``.

        Return the response, which is an error if the request is invalid or the session cannot be saved.
        """
        started, error_type, revision = time.perf_counter(), CANCELED, ""
        try:
            caller = read_initialize(request)
            revision = caller.revision.name
            await begin(caller)
            error_type = ""
            has_events = self._services.events is not None
            return result_bytes(request.id, initialize_result(sender.catalog, caller, has_events))
        except RpcError as error:
            error_type = str(error.code)
            return error_bytes(error, request.id)
        finally:
            record_operation(self._services, (request.method, "", "", error_type, revision), started)

    def _receive(self, session: Session, payload: Notification | Response) -> None:
        started = time.perf_counter()
        session.receive(payload)
        if isinstance(payload, Notification):
            revision = session.caller.revision
            method = payload.method if payload.method in revision.notifications else "other"
            record_operation(self._services, (method, "", "", "", revision.name), started)

    async def _start_batch(
        self, sender: Sender, session: Session | None, values: list[Any], channel: ResponseChannel
    ) -> asyncio.Task[None] | None:
        session = check_batch_support(session)
        batch = parse_batch(values)
        if receive_if_no_requests(session, batch):
            return None
        await self._admission.admit(sender.owner, *batch)
        channel.open(session, [item.id for item in batch if isinstance(item, Request)])
        context = self._make_context(sender, session.caller, channel, session)
        return self._runner.start_batch(context, session, batch, channel)

    async def answer(self, sender: Sender, caller: Caller, request: Request, channel: ResponseChannel) -> None:
        """Handle a stateless *request* in the calling task. Canceling that task cancels the work."""
        if request.method in INLINE_METHODS:
            return await self._answer_inline(sender, caller, request, channel, None)
        await self._admission.admit(sender.owner, request)
        limiter = self._runner.limiter
        limiter.acquire(sender.owner)
        try:
            await self.answer_stream(sender, caller, request, channel)
        finally:
            limiter.release(sender.owner)

    async def answer_stream(
        self,
        sender: Sender,
        caller: Caller,
        request: Request,
        channel: ResponseChannel,
        lease: StreamLease | None = None,
    ) -> None:
        """Handle a stateless *request* that the calling code has counted already, such as a stream with a *lease*."""
        channel.open(None, (request.id,))
        context = self._make_context(sender, caller, channel, None, lease)
        status, body = await dispatch_request(context, request)
        # As soon as the client has the id of a task, it may request the task from any replica.
        await self._services.tasks.wait_until_saved()
        await channel.finish(status, body)

    async def _answer_inline(
        self, sender: Sender, caller: Caller, request: Request, channel: ResponseChannel, session: Session | None
    ) -> None:
        """Handle one of INLINE_METHODS, which never wait for the API or the client and count against no limit."""
        context = self._make_context(sender, caller, NULL_CHANNEL, session)
        await channel.finish(*await dispatch_request(context, request))

    def _make_context(
        self,
        sender: Sender,
        caller: Caller,
        channel: Channel,
        session: Session | None,
        lease: StreamLease | None = None,
    ) -> RequestContext:
        catalog, owner, resolve_api, headers, actor, make_auth_challenge = sender
        api_factory, customer_api_factory, tenant = resolve_api(session)
        return RequestContext(
            catalog,
            caller,
            owner,
            api_factory,
            channel,
            self._services,
            session,
            headers,
            customer_api_factory,
            actor,
            make_auth_challenge,
            lease,
            tenant,
        )


def _find_caller(sender: Sender, session: Session | None) -> Caller:
    """Return the caller of a stateful payload. Raise RpcError -32600 if its HTTP headers contradict the session."""
    assert sender.headers is not None
    if session is None:
        return read_sessionless_caller(sender.headers)
    check_session_version(session.caller.revision, sender.headers)
    return session.caller
