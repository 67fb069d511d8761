"""Runs computations of more than a few milliseconds in a thread, so that they do not block the event loop.

Callers take turns: a caller with many large requests delays only itself, and others wait for at most one computation of
each caller.
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
from .limits import LimitExceeded

MAX_QUEUED_PER_CALLER = 16
MAX_QUEUED = 512
"""Queued computations of one caller, and of all, beyond which new ones are refused."""
RETRY_AFTER_SECONDS = 2.0
TOO_MANY_QUEUED = "Too many large requests from this user are waiting; send fewer at a time"
MAX_INLINE_ROWS = 500
"""Rows of a table, at up to ten microseconds each, that the event loop computes with itself."""
MAX_INLINE_STEPS = 10_000
"""Steps of a computation, at up to a microsecond each, that the event loop does itself."""
SERVER_BUSY = "The server is busy with large requests; try again in a moment"

P = ParamSpec("P")
T = TypeVar("T")


class ComputeThread:
    """One thread for all callers: the interpreter runs one thread at a time, so more would only compete with the event
    loop. It is a daemon thread: the process can exit without waiting for it.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        # Callers in the order of their turns, each with its computations in order of arrival.
        self._queues: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._queued = 0
        self._thread: Thread | None = None

    def submit(self, caller: str, work: Callable[[], T], *, may_reject: bool = False) -> Future[T]:
        """Queue *work* for *caller*; cancel the future to leave the queue.

        With *may_reject*, raise LimitExceeded if the queue is full. Use it only before a request starts: later work of
        a request belongs to a call in flight, and those are limited already.
        """
        future: Future[T] = Future()
        with self._changed:
            if may_reject and len(self._queues.get(caller, ())) >= MAX_QUEUED_PER_CALLER:
                raise LimitExceeded("owner", RETRY_AFTER_SECONDS, TOO_MANY_QUEUED)
            if may_reject and self._queued >= MAX_QUEUED:
                raise LimitExceeded("server", RETRY_AFTER_SECONDS, SERVER_BUSY)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="heavy", daemon=True)
                self._thread.start()
            self._queues.setdefault(caller, deque()).append((future, work))
            self._queued += 1
            self._changed.notify()
        future.add_done_callback(partial(self._discard_canceled, caller))
        return future

    def _discard_canceled(self, caller: str, future: Future[Any]) -> None:
        """Drop the work of a canceled *future*: its data can be large."""
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
        """Wait for the next computation of the caller whose turn it is; that caller moves to the end of the order."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queues))
            caller, queue = self._queues.popitem(last=False)
            entry = queue.popleft()
            self._queued -= 1
            if queue:
                self._queues[caller] = queue
            return entry

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
            # Hold no data of a finished computation while waiting for the next one.
            del future, work


_COMPUTE_THREAD = ComputeThread()


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of *function*, which must only compute: a function that waits would delay all others.

    The turn is that of the current request's owner. Python switches threads only between bytecode instructions, so
    *function* must not spend long in a single call of a C function.
    """
    return await asyncio.wrap_future(_COMPUTE_THREAD.submit(_current_caller(), lambda: function(*args, **kwargs)))


async def run_by_rows(rows: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of *function* over this many *rows*: directly if they are few, otherwise in the thread."""
    if rows <= MAX_INLINE_ROWS:
        return function(*args, **kwargs)
    return await run_in_thread(function, *args, **kwargs)


async def run_by_steps(steps: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of *function*, which takes about *steps*: directly if they are few, otherwise in the thread."""
    if steps <= MAX_INLINE_STEPS:
        return function(*args, **kwargs)
    return await run_in_thread(function, *args, **kwargs)


async def run_in_thread_unless_full(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do the same as :func:`run_in_thread` for work that starts a request. Raise LimitExceeded if the queue is full."""
    work = _COMPUTE_THREAD.submit(_current_caller(), lambda: function(*args, **kwargs), may_reject=True)
    return await asyncio.wrap_future(work)


def _current_caller() -> str:
    trace = CURRENT_TRACE.get()
    return "" if trace is None else trace.owner
