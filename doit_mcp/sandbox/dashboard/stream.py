"""Event stream of the dashboard: the call history, and one queue of numbered events per open page."""

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
    """An event of the stream; events without *id* are not resent."""

    name: str
    data: str
    id: str | None = None


class Watcher:
    """An open dashboard page. *abort* closes its connection at once, *is_closed* says whether it is closed already."""

    def __init__(self, abort: Callable[[], None], is_closed: Callable[[], bool], size: int) -> None:
        self.is_closed = is_closed
        self._abort = abort
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(size)

    def enqueue(self, event: Event) -> bool:
        """Queue an event; False if the page was too far behind and has been disconnected."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._abort()
            return False
        return True

    def close(self) -> None:
        """Stop the stream, without waiting for events that are still queued."""
        if not self._waiting.empty():
            self._abort()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        """The queued events, until the stream ends."""
        while (event := await self._waiting.get()) is not None:
            yield event


class EventStream:
    """The last *history* calls as events, for at most *watchers* pages, each up to *queue* events behind."""

    def __init__(
        self, *, history: int = MAX_HISTORY, watchers: int = MAX_WATCHERS, queue: int = MAX_QUEUED_EVENTS
    ) -> None:
        # Each run numbers its events from the start, so ids include the run.
        self.run_id = secrets.token_hex(4)
        self.history = history
        self._count = 0
        self._calls: deque[tuple[int, Event]] = deque(maxlen=history)
        self._watchers: set[Watcher] = set()
        self._limit = watchers
        self._queue = queue
        self._closed = False

    def subscribe(self, abort: Callable[[], None], is_closed: Callable[[], bool]) -> Watcher | None:
        """Subscribe to all further events; None if too many pages are open or the stream has ended."""
        for watcher in [watcher for watcher in self._watchers if watcher.is_closed()]:
            # Its handler would notice only at the next write.
            self._watchers.discard(watcher)
            watcher.close()
        if self._closed or len(self._watchers) >= self._limit:
            return None
        watcher = Watcher(abort, is_closed, self._queue)
        self._watchers.add(watcher)
        return watcher

    def unsubscribe(self, watcher: Watcher) -> None:
        """Remove a page whose handler has finished."""
        self._watchers.discard(watcher)

    def publish_call(self, data: str) -> None:
        """Record a call and send it to all pages."""
        self._count += 1
        event = Event("call", data, f"{self.run_id}-{self._count}")
        self._calls.append((self._count, event))
        self.publish(event)

    def publish(self, event: Event) -> None:
        """Send an event to all pages; disconnect pages that are too far behind, without delaying the others."""
        self._watchers = {watcher for watcher in self._watchers if watcher.enqueue(event)}

    def calls_since(self, last: str) -> list[Event] | None:
        """The calls after event *last*; None if some are no longer kept or *last* is of another run."""
        run, _, number = last.rpartition("-")
        if run != self.run_id or not number.isdecimal() or len(number) > 15:
            return None
        last_number = int(number)
        if not self._count - len(self._calls) <= last_number <= self._count:
            return None
        return [event for count, event in self._calls if count > last_number]

    def all_calls(self) -> list[Event]:
        """All recorded calls, oldest first."""
        return [event for _, event in self._calls]

    def close(self) -> None:
        """Close all pages and refuse new ones."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()
        self._watchers.clear()
