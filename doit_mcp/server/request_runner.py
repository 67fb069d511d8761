"""Work: requests of the handshake era in tasks of their own, so that a lost connection is no cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from ..protocol.jsonrpc import Id, Message, Request, RpcError
from ..resilience.concurrency import ConcurrencyLimiter
from .admission import Admission
from .batches import MAX_CONCURRENT_BATCH_REQUESTS, answer_batch
from .dispatcher import dispatch_request
from .request_context import RequestContext
from .sessions import Session

log = logging.getLogger(__name__)


class ResponseSink(Protocol):
    """Where the answer to a request goes."""

    def finish(self, status: int, body: bytes) -> Awaitable[None]:
        """Send it."""

    def finish_canceled(self) -> Awaitable[None]:
        """There is none: the request was cancelled."""


class RequestRunner:
    """The tasks of one process, each in its place among the calls in flight.

    Who starts one asks *admission* first, where there is any.
    """

    def __init__(self, limiter: ConcurrencyLimiter, admission: Admission | None = None) -> None:
        self.limiter, self.admission = limiter, admission
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, context: RequestContext, request: Request, sink: ResponseSink) -> asyncio.Task[None]:
        """Answer *request* in a task; raises LimitExceeded, or RpcError for an id that is in flight in the session."""
        session = context.session
        if session is not None:
            session.check_request_id(request)
        self.limiter.acquire(context.owner)
        work = _deliver_response(partial(dispatch_request, context, request), sink)
        task = self._run(context.owner, 1, work, session, request.id)
        if session is not None:
            session.running_requests[request.id] = task
        return task

    def start_batch(
        self, context: RequestContext, session: Session, messages: Sequence[Message | RpcError], sink: ResponseSink
    ) -> asyncio.Task[None]:
        """Answer a batch of *session* in one task, in as many places as it has requests at once; raises LimitExceeded. Where
        fewer are free, it takes those and longer."""
        requests = sum(isinstance(item, Request) for item in messages)
        places = self.limiter.acquire_up_to(context.owner, max(1, min(requests, MAX_CONCURRENT_BATCH_REQUESTS)))
        work = _deliver_response(partial(answer_batch, context, session, messages, places), sink)
        return self._run(context.owner, places, work)

    def _run(
        self,
        owner: str,
        places: int,
        work: Coroutine[Any, Any, None],
        session: Session | None = None,
        id: Id | None = None,
    ) -> asyncio.Task[None]:
        """Run *work* in the *places* of *owner*, which were taken for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._on_done, owner, places, session, id))
        return task

    def _on_done(
        self, owner: str, places: int, session: Session | None, id: Id | None, task: asyncio.Task[None]
    ) -> None:
        self._tasks.discard(task)
        if session is not None and id is not None:
            session.running_requests.pop(id, None)
        self.limiter.release(owner, places)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("an answer could not be delivered", exc_info=failure)

    async def drain(self, seconds: float) -> None:
        """Wait for every call in flight, then stop what has not ended (shutdown)."""
        try:
            async with asyncio.timeout(seconds):
                await self.limiter.wait_until_idle()
        except TimeoutError:
            log.warning("calls were stopped by the shutdown", extra={"calls": self.limiter.in_use})
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _deliver_response(
    answering: Callable[[], Awaitable[tuple[int, bytes] | None]], deliver: ResponseSink
) -> None:
    try:
        answered = await answering()
    except asyncio.CancelledError:
        await deliver.finish_canceled()
        raise
    await (deliver.finish_canceled() if answered is None else deliver.finish(*answered))
