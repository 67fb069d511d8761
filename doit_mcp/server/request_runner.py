"""Work: requests of the handshake era in tasks of their own, so that a lost connection is no cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from ..protocol.jsonrpc import Id, Message, Request, RpcError
from ..resilience.concurrency import Slots
from .admission import Admission
from .batches import AT_ONCE, answer_batch
from .dispatcher import answer
from .request_context import Context
from .sessions import Session

log = logging.getLogger(__name__)


class Deliver(Protocol):
    """Where the answer to a request goes."""

    def finish(self, status: int, body: bytes) -> Awaitable[None]:
        """Send it."""

    def nothing(self) -> Awaitable[None]:
        """There is none: the request was cancelled."""


class Work:
    """The tasks of one process, each in its place among the calls in flight.

    Who starts one asks *admission* first, where there is any.
    """

    def __init__(self, slots: Slots, admission: Admission | None = None) -> None:
        self.slots, self.admission = slots, admission
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, context: Context, request: Request, deliver: Deliver) -> asyncio.Task[None]:
        """Answer *request* in a task; raises Full, or RpcError for an id that is in flight in the session."""
        session = context.session
        if session is not None:
            session.check_free(request)
        self.slots.take(context.owner)
        work = _answered(partial(answer, context, request), deliver)
        task = self._run(context.owner, 1, work, session, request.id)
        if session is not None:
            session.running[request.id] = task
        return task

    def start_batch(
        self, context: Context, session: Session, read: Sequence[Message | RpcError], deliver: Deliver
    ) -> asyncio.Task[None]:
        """Answer a batch of *session* in one task, in as many places as it has requests at once; raises Full. Where
        fewer are free, it takes those and longer."""
        requests = sum(isinstance(item, Request) for item in read)
        places = self.slots.take_up_to(context.owner, max(1, min(requests, AT_ONCE)))
        work = _answered(partial(answer_batch, context, session, read, places), deliver)
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
        task.add_done_callback(partial(self._done, owner, places, session, id))
        return task

    def _done(self, owner: str, places: int, session: Session | None, id: Id | None, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if session is not None and id is not None:
            session.running.pop(id, None)
        self.slots.give_back(owner, places)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("an answer could not be delivered", exc_info=failure)

    async def finish(self, seconds: float) -> None:
        """Wait for every call in flight, then stop what has not ended (shutdown)."""
        try:
            async with asyncio.timeout(seconds):
                await self.slots.empty()
        except TimeoutError:
            log.warning("calls were stopped by the shutdown", extra={"calls": self.slots.in_use})
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _answered(answering: Callable[[], Awaitable[tuple[int, bytes] | None]], deliver: Deliver) -> None:
    try:
        answered = await answering()
    except asyncio.CancelledError:
        await deliver.nothing()
        raise
    await (deliver.nothing() if answered is None else deliver.finish(*answered))
