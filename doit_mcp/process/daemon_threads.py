"""Runs blocking calls in a daemon thread, which does not delay the exit of the process as asyncio's threads do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Call(NamedTuple):
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Any]
    function: Callable[[], Any]


class DaemonThreadExecutor:
    """Runs calls one at a time in a daemon thread. A call that hangs ends with the process."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        Thread(target=self._run, name=name, daemon=True).start()

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call *function* in the thread and return or raise its result. Cancellation does not stop the call."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._calls.put(_Call(loop, result, lambda: function(*args, **kwargs)))
        return await result

    def _run(self) -> None:
        while True:
            loop, result, function = self._calls.get()
            value, failure = None, None
            try:
                value = function()
            except Exception as error:
                failure = error
            try:
                loop.call_soon_threadsafe(_resolve_future, result, value, failure)
            except RuntimeError:
                # The loop is closed, so the process is ending and nothing waits for the result.
                return


def _resolve_future(result: asyncio.Future[Any], value: Any, failure: Exception | None) -> None:
    if result.done():
        return
    if failure is not None:
        result.set_exception(failure)
    else:
        result.set_result(value)
