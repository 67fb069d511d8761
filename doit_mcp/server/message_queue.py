"""A bounded queue of messages for the reader of one event stream. A reader that falls behind is disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MAX_MESSAGES = 256
MAX_BYTES = 4 << 20


class MessageQueue:
    """Any number of writers, which never wait, and one reader. The queue closes when it exceeds its limits.

    Most queues are idle for hours, so nothing is allocated before it is needed. *try_send*, if set, sends a message
    directly when the queue is empty and returns whether it did, which is cheaper than waking the reader. It must return
    False while the reader is sending a message.
    """

    __slots__ = ("_bytes", "_closed", "_messages", "_waiting_reader", "try_send")

    def __init__(self) -> None:
        # A list, because it stays short and takes 700 bytes less than a deque when empty.
        self._messages: list[bytes] = []
        self._bytes = 0
        self._closed = False
        self._waiting_reader: asyncio.Future[None] | None = None
        self.try_send: Callable[[bytes], bool] | None = None

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or is about to end."""
        return self._closed

    def put(self, data: bytes) -> None:
        """Add a message. Do nothing if the queue is closed; beyond the limits, drop all messages and close it."""
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
        """Return at once: a reader that falls behind is disconnected instead."""

    def close(self) -> None:
        """Accept no more messages. Queued messages can still be read."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting_reader is not None and not self._waiting_reader.done():
            self._waiting_reader.set_result(None)

    async def get(self) -> bytes | None:
        """Return the next message, waiting for it if necessary, or None after the last one."""
        while not self._messages:
            if self._closed:
                return None
            self._waiting_reader = asyncio.get_running_loop().create_future()
            await self._waiting_reader
        data = self._messages.pop(0)
        self._bytes -= len(data)
        return data
