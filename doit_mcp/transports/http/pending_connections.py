"""Limits the number, bytes and wait time of connections that have not completed a request head."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Closable(Protocol):
    """A connection that can be closed."""

    def force_close(self) -> None:
        """Close the connection without a response."""


class PendingConnections:
    """Connections in the order in which they began to wait.

    If there are too many, or they hold too many bytes, the oldest are closed: legitimate clients complete a head within
    milliseconds, so the newest connections are the likeliest to be legitimate. *on_closed* is called with the reason
    for each closed connection.
    """

    def __init__(
        self, *, timeout_seconds: float, max_connections: int, max_bytes: int, on_closed: Callable[[str], None]
    ) -> None:
        self._timeout_seconds, self._max_connections, self._max_bytes = timeout_seconds, max_connections, max_bytes
        self._on_closed = on_closed
        self._bytes: dict[Closable, int] = {}
        self._deadlines: dict[Closable, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.total_bytes = 0

    def __len__(self) -> int:
        return len(self._bytes)

    def __contains__(self, connection: Closable) -> bool:
        return connection in self._bytes

    def track(self, connection: Closable, size: int) -> None:
        """Record that *connection* has received *size* bytes of an unfinished head."""
        if connection not in self._bytes:
            loop = asyncio.get_running_loop()
            self._deadlines[connection] = loop.time() + self._timeout_seconds
            if self._timer is None:
                self._timer = loop.call_later(self._timeout_seconds, self._expire)
        self.total_bytes += size - self._bytes.get(connection, 0)
        self._bytes[connection] = size
        while len(self._bytes) > self._max_connections or self.total_bytes > self._max_bytes:
            self._close(next(iter(self._bytes)), "too_many")

    def untrack(self, connection: Closable) -> None:
        """Remove *connection*, because its head is complete or it was closed."""
        self.total_bytes -= self._bytes.pop(connection, 0)
        self._deadlines.pop(connection, None)

    def _close(self, connection: Closable, reason: str) -> None:
        self.untrack(connection)
        self._on_closed(reason)
        connection.force_close()

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._deadlines:
            connection, deadline = next(iter(self._deadlines.items()))
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._expire)
                return
            self._close(connection, "timeout")

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
