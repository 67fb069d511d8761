"""Keepalive: one timer that has every idle event stream of the process send a comment at intervals."""

from __future__ import annotations

import asyncio
from typing import Protocol

# Streams that are served in one turn of the event loop; the others follow in the next ones, so that thousands of
# streams which began at the same moment delay no request.
MAX_STREAMS_PER_TURN = 100
# Streams that are due within this part of the interval are served early, by the same timer: fewer timers are set.
EARLY_SHARE = 1 / 16


class KeepaliveStream(Protocol):
    """A stream, or a response that becomes one when it takes long."""

    def send_keepalive(self) -> None:
        """Send a comment, without waiting for the client."""


class Keepalive:
    """Calls each stream's ``send_keepalive`` every *seconds*, for the first time *seconds* after it was added.

    A task for each stream would cost more than 1 KB, and a timer for each response more than everything else that is
    done for it here: nearly all responses are complete long before they are due.
    """

    __slots__ = ("_due", "_interval", "_timer")

    def __init__(self, seconds: float) -> None:
        self._interval = seconds
        # All wait equally long, so the first is due next.
        self._due: dict[KeepaliveStream, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    @property
    def is_running(self) -> bool:
        """Whether the timer is set. It stops some time after the last stream was removed."""
        return self._timer is not None

    def add(self, stream: KeepaliveStream) -> None:
        """Begin to serve *stream*."""
        loop = asyncio.get_running_loop()
        self._due[stream] = loop.time() + self._interval
        if self._timer is None:
            self._timer = loop.call_later(self._interval, self._on_timer)

    def remove(self, stream: KeepaliveStream) -> None:
        """Stop serving *stream*, if it was added."""
        self._due.pop(stream, None)

    def _on_timer(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self.send_due(loop.time())
        finally:
            # Even if a stream failed: the others must not wait forever.
            self._timer = None
            if self._due:
                self._timer = loop.call_at(next(iter(self._due.values())), self._on_timer)

    def send_due(self, now: float) -> None:
        """Serve the streams that are due at *now*, a time of the event loop, or soon after; at most one turn's."""
        limit = now + self._interval * EARLY_SHARE
        for _ in range(min(len(self._due), MAX_STREAMS_PER_TURN)):
            stream = next(iter(self._due))
            if self._due[stream] > limit:
                return
            # To the end of the line.
            del self._due[stream]
            self._due[stream] = now + self._interval
            stream.send_keepalive()
