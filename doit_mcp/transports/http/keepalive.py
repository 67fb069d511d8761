"""Keepalive: one timer that makes every event stream of the process send a comment at intervals."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Protocol

# Streams to serve in one iteration of the event loop. The rest follow in later iterations, so that thousands of streams
# that started at the same time do not delay requests.
MAX_STREAMS_PER_TURN = 100
# Streams due within this fraction of the interval are served early, so that fewer timers are set.
EARLY_SHARE = 1 / 16


class KeepaliveStream(Protocol):
    """A stream, or a response that becomes a stream if it takes long."""

    def send_keepalive(self) -> None:
        """Send a comment without waiting for the client."""


class Keepalive:
    """Calls each stream's ``send_keepalive`` every *seconds*, starting *seconds* after it was added.

    A task for each stream would take more than 1 KB. A timer for each response would cost more than everything else
    done for it here, and nearly all responses are complete long before a keepalive is due.
    """

    def __init__(self, seconds: float) -> None:
        self._interval = seconds
        # All streams wait equally long, so the first one is due next.
        self._due: dict[KeepaliveStream, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    @property
    def is_running(self) -> bool:
        """Whether the timer is set. It stops some time after the last stream is removed."""
        return self._timer is not None

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of all streams. Python 3.11 makes a system call to look it up."""
        return asyncio.get_running_loop()

    def add(self, stream: KeepaliveStream) -> None:
        """Start serving *stream*."""
        self._due[stream] = self.loop.time() + self._interval
        if self._timer is None:
            self._timer = self.loop.call_later(self._interval, self._on_timer)

    def remove(self, stream: KeepaliveStream) -> None:
        """Stop serving *stream*, if it was added."""
        self._due.pop(stream, None)

    def _on_timer(self) -> None:
        try:
            self.send_due(self.loop.time())
        finally:
            # Even if a stream failed, the others must still be served.
            self._timer = None
            if self._due:
                self._timer = self.loop.call_at(next(iter(self._due.values())), self._on_timer)

    def send_due(self, now: float) -> None:
        """Serve up to MAX_STREAMS_PER_TURN streams that are due at *now*, in event loop time, or soon after."""
        limit = now + self._interval * EARLY_SHARE
        for _ in range(min(len(self._due), MAX_STREAMS_PER_TURN)):
            stream = next(iter(self._due))
            if self._due[stream] > limit:
                return
            # Move it to the end of the queue.
            del self._due[stream]
            self._due[stream] = now + self._interval
            stream.send_keepalive()
