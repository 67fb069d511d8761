"""Outbox: messages that wait for one reader of an event stream. Bounded; who falls behind is cut off."""

from __future__ import annotations

import asyncio
from collections import deque

MOST_MESSAGES = 256
MOST_BYTES = 4 << 20


class Outbox:
    """Any number of writers, who never wait; one reader. A reader who lets too much pile up is closed (security L3)."""

    __slots__ = ("_bytes", "_closed", "_messages", "_ready")

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._closed = False
        self._ready = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or is about to."""
        return self._closed

    def put(self, data: bytes) -> None:
        """Leave a message for the reader; after the end nothing happens."""
        if self._closed:
            return
        self._bytes += len(data)
        if len(self._messages) >= MOST_MESSAGES or self._bytes > MOST_BYTES + len(data):
            self._messages.clear()
            self.close()
            return
        self._messages.append(data)
        self._ready.set()

    async def room(self) -> None:
        """There always is: who falls behind is cut off."""

    def close(self) -> None:
        """No more messages; what waits is still read."""
        self._closed = True
        self._ready.set()

    async def get(self) -> bytes | None:
        """The next message, or None at the end."""
        while not self._messages:
            if self._closed:
                return None
            self._ready.clear()
            await self._ready.wait()
        data = self._messages.popleft()
        self._bytes -= len(data)
        return data
