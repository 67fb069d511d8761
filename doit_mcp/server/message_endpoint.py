"""Handles what clients send, for every transport: initialization, admission and dispatch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ..protocol.jsonrpc import Notification, Request, Response, RpcError, error_bytes, result_bytes
from ..protocol.request_metadata import Caller
from .admission import AdmissionPolicy, AdmitAll
from .batches import check_batch_support, parse_batch, receive_if_no_requests
from .credential_expiry import StreamLease
from .dispatcher import INLINE_METHODS, dispatch_request
from .handlers.lifecycle import initialize_result, read_initialize
from .operation_record import CANCELED, record_operation
from .payloads import Payload
from .request_context import NULL_CHANNEL, Services
from .request_runner import RequestRunner, ResponseChannel
from .sender import Sender
from .sessions import Session


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
        caller: Caller,
        session: Session | None,
        payload: Payload,
        channel: ResponseChannel,
    ) -> asyncio.Task[None] | None:
        """Handle a payload of *caller* in *session*.

        Return the task that finishes *channel*, even if the connection is lost. Return None if the response was sent
        already, or if the payload has none.
        """
        if not isinstance(payload, Request):
            if isinstance(payload, list):
                return await self._start_batch(sender, session, payload, channel)
            if session is not None:
                self._receive(session, payload)
            return None
        if payload.method == "initialize" and session is not None and not caller.revision.era.stateless:
            await channel.finish(200, await self.initialize(sender, payload, session.set_caller))
            return None
        if payload.method in INLINE_METHODS and not channel.is_shared:
            await self._answer_inline(sender, caller, payload, channel, session)
            return None
        await self._admission.admit(sender.owner, payload)
        channel.open(session, (payload.id,))
        context = sender.make_context(caller, channel, self._services, session)
        return self._runner.start(context, payload, channel)

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
            fields = request.method, "", "", error_type, revision
            record_operation(self._services, fields, started, request.id)

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
        context = sender.make_context(session.caller, channel, self._services, session)
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
        context = sender.make_context(caller, channel, self._services, None, lease)
        status, body = await dispatch_request(context, request)
        # As soon as the client has the id of a task, it may request the task from any replica.
        await self._services.tasks.wait_until_saved()
        await channel.finish(status, body)

    async def _answer_inline(
        self, sender: Sender, caller: Caller, request: Request, channel: ResponseChannel, session: Session | None
    ) -> None:
        """Handle one of INLINE_METHODS, which never wait for the API or the client and count against no limit."""
        context = sender.make_context(caller, NULL_CHANNEL, self._services, session)
        await channel.finish(*await dispatch_request(context, request))
