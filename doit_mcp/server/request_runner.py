"""Runs stateful requests in their own asyncio tasks, so that a lost connection does not cancel them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Sequence
from functools import cached_property, partial
from typing import Any, Protocol

from ..process.task_cancellation import cancel_tasks
from ..protocol.jsonrpc import Id, Message, Request, RpcError
from ..resilience.concurrency import ConcurrencyLimiter
from .batches import MAX_CONCURRENT_BATCH_REQUESTS, run_batch
from .dispatcher import dispatch_request
from .request_context import Channel, RequestContext
from .sessions import Session

log = logging.getLogger(__name__)


class ResponseSink(Protocol):
    """Sends the response to a request."""

    def finish(self, status: int, body: bytes) -> Awaitable[None]:
        """Send the response."""

    def finish_canceled(self) -> Awaitable[None]:
        """End without a response, because the request was canceled."""


class ResponseChannel(Channel, ResponseSink, Protocol):
    """Carries the response to a payload, and the messages that precede it.

    *is_shared* is whether it also carries responses to other payloads. Waiting for a shared channel delays those, so
    even the shortest request then runs in its own task.
    """

    @property
    def is_shared(self) -> bool: ...

    def open(self, session: Session | None, request_ids: Sequence[Id]) -> None:
        """Prepare for messages, because the requests with these ids were admitted and are about to run."""


class RequestRunner:
    """The running requests of one process. Each holds its slots in *limiter* until it ends."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.limiter = limiter
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of all tasks. Python 3.11 makes a system call to look it up."""
        return asyncio.get_running_loop()

    def start(self, context: RequestContext, request: Request, sink: ResponseSink) -> asyncio.Task[None]:
        """Run *request* in a task. Raise LimitExceeded, and RpcError if its id is in flight in the session."""
        session = context.session
        if session is not None and request.id in session.running_requests:
            session.check_request_id(request)
        self.limiter.acquire(context.owner)
        work = _run_request(context, request, session, sink)
        task = self._run(context.owner, 1, work, session, request.id)
        if session is not None:
            session.running_requests[request.id] = task
        return task

    def start_batch(
        self, context: RequestContext, session: Session, messages: Sequence[Message | RpcError], sink: ResponseSink
    ) -> asyncio.Task[None]:
        """Run a batch of *session* in one task.

        The task takes one slot for each request that it runs at once. If fewer are free, it takes those and runs fewer
        requests at once. Raise LimitExceeded if no slot is free.
        """
        requests = sum(isinstance(item, Request) for item in messages)
        slots = self.limiter.acquire_up_to(context.owner, max(1, min(requests, MAX_CONCURRENT_BATCH_REQUESTS)))
        work = _run_batch(context, session, messages, slots, sink)
        return self._run(context.owner, slots, work)

    def _run(
        self,
        owner: str,
        slots: int,
        work: Coroutine[Any, Any, None],
        session: Session | None = None,
        id: Id | None = None,
    ) -> asyncio.Task[None]:
        """Run *work* in a task that releases the *slots* of *owner* at its end."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._on_done, owner, slots, session, id))
        return task

    def _on_done(
        self, owner: str, slots: int, session: Session | None, id: Id | None, task: asyncio.Task[None]
    ) -> None:
        self._tasks.discard(task)
        if session is not None and id is not None:
            session.end_request(id, task)
        self.limiter.release(owner, slots)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a response could not be delivered", exc_info=failure)

    async def drain(self, seconds: float) -> None:
        """Wait up to *seconds* for running requests, then cancel the rest (shutdown)."""
        try:
            async with asyncio.timeout(seconds):
                await self.limiter.wait_until_idle()
        except TimeoutError:
            log.warning("shutdown canceled running calls", extra={"calls": self.limiter.in_use})
        await cancel_tasks(*self._tasks)


async def _run_request(context: RequestContext, request: Request, session: Session | None, sink: ResponseSink) -> None:
    try:
        status, body = await dispatch_request(context, request)
    except asyncio.CancelledError:
        await sink.finish_canceled()
        raise
    if session is not None:
        # Before the response is sent, because the client may use the id again at once. Until here, no other request of
        # the session can have it.
        session.running_requests.pop(request.id, None)
    await sink.finish(status, body)


async def _run_batch(
    context: RequestContext,
    session: Session,
    messages: Sequence[Message | RpcError],
    slots: int,
    sink: ResponseSink,
) -> None:
    try:
        response = await run_batch(context, session, messages, slots)
    except asyncio.CancelledError:
        await sink.finish_canceled()
        raise
    await (sink.finish_canceled() if response is None else sink.finish(*response))
