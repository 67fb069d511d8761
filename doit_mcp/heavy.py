"""Heavy work: computation of more than a few milliseconds runs in a thread, so the event loop goes on.

Callers take turns: a caller with many large requests waits for itself, and others wait for one computation of each
caller at most.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, ParamSpec, TypeVar

from .trace import CURRENT

P = ParamSpec("P")
T = TypeVar("T")


class Turns:
    """One thread for everybody: the interpreter runs one at a time anyway, and the event loop competes with no more.

    It is a daemon: at the end of the process nobody waits for a result.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        # Callers in the order of their turns, each with its computations in the order in which they came.
        self._waiting: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._thread: Thread | None = None

    def submit(self, caller: str, work: Callable[[], T]) -> Future[T]:
        """Queue *work* for *caller*; cancel the future to leave the queue."""
        future: Future[T] = Future()
        with self._changed:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="heavy", daemon=True)
                self._thread.start()
            self._waiting.setdefault(caller, deque()).append((future, work))
            self._changed.notify()
        return future

    def _next(self) -> tuple[Future[Any], Callable[[], Any]]:
        """Wait for the first computation of the caller whose turn it is; that caller goes to the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting))
            caller, queue = self._waiting.popitem(last=False)
            found = queue.popleft()
            if queue:
                self._waiting[caller] = queue
            return found

    def _run(self) -> None:
        while True:
            future, work = self._next()
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


_TURNS = Turns()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of *function*, which must be pure computation: a function that waits would hold up all others.

    The caller is that of the request's trace. Python switches threads between its own instructions only, so no single
    call of a C function in it may be long.
    """
    trace = CURRENT.get()
    caller = "" if trace is None else trace.owner
    return await asyncio.wrap_future(_TURNS.submit(caller, lambda: function(*args, **kwargs)))
