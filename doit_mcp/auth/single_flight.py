"""Single flight: whoever needs what is being fetched already waits for that, instead of fetching it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class TooManyInFlight(Exception):
    """As many fetches are under way as may be."""


class SingleFlight(Generic[T]):
    """Fetches under way, by key; at most *limit* of them. Close it to end them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: dict[bytes, asyncio.Task[T]] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._tasks

    async def join(self, key: bytes, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What *fetch* returns or raises, started unless one with this key is under way. Raises TooManyFlights.

        A caller who is cancelled takes nobody along: the fetch has its own task and its own time limit.
        """
        task = self._tasks.get(key) or self.start(key, fetch)
        await asyncio.wait([task])
        return task.result()

    def start(self, key: bytes, fetch: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Start *fetch* without waiting for it; nothing with this key may be under way. Raises TooManyFlights."""
        if len(self._tasks) >= self._limit:
            raise TooManyInFlight
        task = self._tasks[key] = asyncio.create_task(fetch())
        task.add_done_callback(lambda done: self._remove(key, done))
        return task

    def _remove(self, key: bytes, task: asyncio.Task[T]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            # Looked at here as well, for the case that everybody who waited has left.
            task.exception()

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
