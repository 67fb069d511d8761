"""Outbox: messages that wait for one reader of an event stream. Bounded; who falls behind is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MAX_MESSAGES = 256
MAX_BYTES = 4 << 20


class MessageQueue:
    """Any number of writers, who never wait; one reader. A reader who lets too much pile up is closed.

    Most wait for hours, and then for one message: so there is nothing here that is made before it is needed.
    *try_send*, if there is one, takes a message past the reader where nothing waits, and says whether it did: that is
    cheaper than to wake the reader. It must refuse while the reader has one in hand.
    """

    __slots__ = ("_bytes", "_closed", "_messages", "_waiting_reader", "try_send")

    def __init__(self) -> None:
        # Never long, and empty 700 bytes smaller than a deque.
        self._messages: list[bytes] = []
        self._bytes = 0
        self._closed = False
        self._waiting_reader: asyncio.Future[None] | None = None
        self.try_send: Callable[[bytes], bool] | None = None

    @property
    def closed(self) -> bool:
        """Whether the stream has ended, or is about to."""
        return self._closed

    def put(self, data: bytes) -> None:
        """Leave a message for the reader; after the end nothing happens."""
        if self._closed or (not self._messages and self.try_send is not None and self.try_send(data)):
            return
        self._bytes += len(data)
        if len(self._messages) >= MAX_MESSAGES or self._bytes > MAX_BYTES + len(data):
            self._messages.clear()
            self.close()
            return
        self._messages.append(data)
        self._wake()

    async def wait_for_room(self) -> None:
        """There always is: who falls behind is cut off."""

    def close(self) -> None:
        """No more messages; what waits is still read."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting_reader is not None and not self._waiting_reader.done():
            self._waiting_reader.set_result(None)

    async def get(self) -> bytes | None:
        """The next message, or None at the end."""
        while not self._messages:
            if self._closed:
                return None
            self._waiting_reader = asyncio.get_running_loop().create_future()
            await self._waiting_reader
        data = self._messages.pop(0)
        self._bytes -= len(data)
        return data
