"""Owns the last calls and who watches them: numbered events, fanned out, each watcher with a queue of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

MAX_HISTORY = 200
MAX_WATCHERS = 16
MAX_QUEUED_EVENTS = 256


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the stream; those without *id* are not sent again."""

    name: str
    data: str
    id: str | None = None


class Watcher:
    """One page that watches. *cut* ends its connection at once, *is_closed* says whether it has ended by itself."""

    def __init__(self, abort: Callable[[], None], is_closed: Callable[[], bool], size: int) -> None:
        self.is_closed = is_closed
        self._abort = abort
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(size)

    def enqueue(self, event: Event) -> bool:
        """Queue an event; False when the watcher is too far behind, and has been dropped for it."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._abort()
            return False
        return True

    def close(self) -> None:
        """No more events. Who has not taken the earlier ones yet is not waited for."""
        if not self._waiting.empty():
            self._abort()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        """What is queued, until the end."""
        while (event := await self._waiting.get()) is not None:
            yield event


class EventStream:
    """The last *history* calls as events, for at most *watchers* pages that may be *queue* events behind."""

    def __init__(
        self, *, history: int = MAX_HISTORY, watchers: int = MAX_WATCHERS, queue: int = MAX_QUEUED_EVENTS
    ) -> None:
        # Another run counts from the start again: its numbers must not be taken for these.
        self.run_id = secrets.token_hex(4)
        self.history = history
        self._count = 0
        self._calls: deque[tuple[int, Event]] = deque(maxlen=history)
        self._watchers: set[Watcher] = set()
        self._limit = watchers
        self._queue = queue
        self._closed = False

    def subscribe(self, abort: Callable[[], None], is_closed: Callable[[], bool]) -> Watcher | None:
        """A new watcher, who hears everything from now on; None when there are too many, or at the end."""
        for watcher in [watcher for watcher in self._watchers if watcher.is_closed()]:
            # Its handler would notice only when it writes the next time.
            self._watchers.discard(watcher)
            watcher.close()
        if self._closed or len(self._watchers) >= self._limit:
            return None
        watcher = Watcher(abort, is_closed, self._queue)
        self._watchers.add(watcher)
        return watcher

    def unsubscribe(self, watcher: Watcher) -> None:
        """The watcher's handler is done."""
        self._watchers.discard(watcher)

    def publish_call(self, data: str) -> None:
        """Remember a call, and tell everybody."""
        self._count += 1
        event = Event("call", data, f"{self.run_id}-{self._count}")
        self._calls.append((self._count, event))
        self.publish(event)

    def publish(self, event: Event) -> None:
        """Tell everybody; who is too far behind is dropped, and the others do not feel it."""
        self._watchers = {watcher for watcher in self._watchers if watcher.enqueue(event)}

    def calls_since(self, last: str) -> list[Event] | None:
        """The calls after event *last*; None when some of them are forgotten, or it is none of ours."""
        run, _, number = last.rpartition("-")
        if run != self.run_id or not number.isdecimal() or len(number) > 15:
            return None
        seen = int(number)
        if not self._count - len(self._calls) <= seen <= self._count:
            return None
        return [event for count, event in self._calls if count > seen]

    def all_calls(self) -> list[Event]:
        """Every remembered call, oldest first."""
        return [event for _, event in self._calls]

    def close(self) -> None:
        """End every watcher; nobody joins any more."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()
        self._watchers.clear()
