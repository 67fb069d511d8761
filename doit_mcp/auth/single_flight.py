"""Single flight: callers that need the same value wait for one fetch instead of starting their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from ..process.task_cancellation import cancel_tasks
from ..resilience.limits import LimitExceeded

TOO_MANY_FETCHES = "Too many requests to this service are in progress; try again in a moment"

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Fetches in progress, by key; at most *limit* of them. Closing it cancels them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: dict[bytes, asyncio.Task[T]] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._tasks

    async def join(self, key: bytes, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of *fetch*, which is started unless a fetch with this key is in progress.

        Raise LimitExceeded, or what the fetch raises.

        Canceling one caller does not affect the others: the fetch has its own task and timeout.
        """
        task = self._tasks.get(key) or self.start(key, fetch)
        await asyncio.wait([task])
        return task.result()

    def start(self, key: bytes, fetch: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Start *fetch* without waiting for it; nothing with this key may be in progress. Raise LimitExceeded."""
        if len(self._tasks) >= self._limit:
            raise LimitExceeded("server", 1.0, TOO_MANY_FETCHES)
        task = self._tasks[key] = asyncio.create_task(fetch())
        task.add_done_callback(lambda done: self._remove(key, done))
        return task

    def _remove(self, key: bytes, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            # Retrieved here in case every caller was canceled.
            task.exception()

    async def close(self) -> None:
        """Cancel the fetches in progress."""
        await cancel_tasks(*self._tasks.values())
