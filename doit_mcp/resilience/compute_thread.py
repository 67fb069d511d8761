"""Heavy work: computation of more than a few milliseconds runs in a thread, so the event loop goes on.

Callers take turns: a caller with many large requests waits for itself, and others wait for one computation of each
caller at most.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Condition, Thread
from typing import Any, ParamSpec, TypeVar

from ..observability.trace import CURRENT_TRACE

MAX_QUEUED_PER_CALLER = 16
MAX_QUEUED = 512
"""Computations that wait when no more are begun: of one caller, and of all."""

P = ParamSpec("P")
T = TypeVar("T")


class TooManyQueued(Exception):
    """So many computations wait that this one is not begun; *all_callers* tells whether they are those of all callers or
    of this one."""

    def __init__(self, all_callers: bool) -> None:
        super().__init__(
            "The server is busy with large requests; try again in a moment"
            if all_callers
            else "Too many large requests of this user are waiting; send fewer at once"
        )
        self.all_callers = all_callers


class ComputeThread:
    """One thread for everybody: the interpreter runs one at a time anyway, and the event loop competes with no more.

    It is a daemon: at the end of the process nobody waits for a result.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        # Callers in the order of their turns, each with its computations in the order in which they came.
        self._queues: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._queued = 0
        self._thread: Thread | None = None

    def submit(self, caller: str, work: Callable[[], T], *, may_reject: bool = False) -> Future[T]:
        """Queue *work* for *caller*; cancel the future to leave the queue. Raises TooManyQueued for *may_reject* work,
        with which nothing has begun yet; what comes later in a request belongs to a call in flight, and those are
        counted."""
        future: Future[T] = Future()
        with self._changed:
            if may_reject and len(self._queues.get(caller, ())) >= MAX_QUEUED_PER_CALLER:
                raise TooManyQueued(all_callers=False)
            if may_reject and self._queued >= MAX_QUEUED:
                raise TooManyQueued(all_callers=True)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="heavy", daemon=True)
                self._thread.start()
            self._queues.setdefault(caller, deque()).append((future, work))
            self._queued += 1
            self._changed.notify()
        future.add_done_callback(partial(self._discard_canceled, caller))
        return future

    def _discard_canceled(self, caller: str, future: Future[Any]) -> None:
        """Forget the work of a *future* that was canceled: what it holds may be large."""
        if not future.cancelled():
            return
        with self._changed:
            queue = self._queues.get(caller, deque())
            for index, (queued, _) in enumerate(queue):
                if queued is future:
                    del queue[index]
                    self._queued -= 1
                    break
            if not queue:
                self._queues.pop(caller, None)

    def _take_next(self) -> tuple[Future[Any], Callable[[], Any]]:
        """Wait for the first computation of the caller whose turn it is; that caller goes to the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queues))
            caller, queue = self._queues.popitem(last=False)
            found = queue.popleft()
            self._queued -= 1
            if queue:
                self._queues[caller] = queue
            return found

    def _run(self) -> None:
        while True:
            future, work = self._take_next()
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as failure:
                    future.set_exception(failure)
                else:
                    future.set_result(result)
                    del result
            # The thread keeps nothing of a computation while it waits for the next one.
            del future, work


_COMPUTE_THREAD = ComputeThread()


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of *function*, which must be pure computation: a function that waits would hold up all others.

    The caller is that of the request's trace. Python switches threads between its own instructions only, so no single
    call of a C function in it may be long.
    """
    return await asyncio.wrap_future(_COMPUTE_THREAD.submit(_current_caller(), lambda: function(*args, **kwargs)))


async def run_in_thread_unless_full(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for work that a request begins with, which is refused with TooManyQueued where much waits already."""
    work = _COMPUTE_THREAD.submit(_current_caller(), lambda: function(*args, **kwargs), may_reject=True)
    return await asyncio.wrap_future(work)


def _current_caller() -> str:
    trace = CURRENT_TRACE.get()
    return "" if trace is None else trace.owner
