"""Single flight: concurrent callers that need the same value share one fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class TooManyInFlight(Exception):
    """The limit of concurrent fetches is reached."""


class SingleFlight(Generic[T]):
    """Fetches in progress by key, at most *limit* of them. Close it to cancel them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: dict[bytes, asyncio.Task[T]] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._tasks

    async def join(self, key: bytes, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the fetch in progress for *key*; starts *fetch* if there is none.

        Raises what the fetch raises, or TooManyInFlight. Canceling a caller does not cancel the fetch, which has a task
        and a time limit of its own.
        """
        task = self._tasks.get(key) or self.start(key, fetch)
        await asyncio.wait([task])
        return task.result()

    def start(self, key: bytes, fetch: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Start *fetch* without waiting for it; none with this key may be in progress. Raises TooManyInFlight."""
        if len(self._tasks) >= self._limit:
            raise TooManyInFlight
        task = self._tasks[key] = asyncio.create_task(fetch())
        task.add_done_callback(lambda done: self._remove(key, done))
        return task

    def _remove(self, key: bytes, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            # Retrieves the exception, or asyncio would report it if all callers were canceled.
            task.exception()

    async def close(self) -> None:
        """Cancel the fetches in progress."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
