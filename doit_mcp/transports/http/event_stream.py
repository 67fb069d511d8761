"""Server-sent events: their format, writes that time out when a client stops reading, and long-lived streams."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from ...server.message_queue import MessageQueue
from .keepalive import Keepalive

# Clients that read nothing for this long are disconnected.
WRITE_TIMEOUT_SECONDS = 30.0
# Bytes that an idle connection accepts without waiting: half of the amount at which aiohttp waits.
MAX_IMMEDIATE_WRITE_BYTES = 32 << 10
KEEPALIVE_COMMENT = b": alive\n\n"
STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-transform"),
    # Asks nginx and other proxies not to buffer events (2026-07-28, Receiving Messages).
    ("X-Accel-Buffering", "no"),
)


def format_event(data: bytes, id: str | None = None, name: bytes = b"message") -> bytes:
    """Return one encoded event. Serialized JSON contains no line breaks, so it fits on one data line."""
    start = b"" if id is None else b"id: " + id.encode() + b"\n"
    return start + b"event: " + name + b"\ndata: " + data + b"\n\n"


async def write_with_timeout(
    request: web.Request, write: Coroutine[Any, Any, None], size: int, timeout: float = WRITE_TIMEOUT_SECONDS
) -> bool:
    """Await *write*, which writes *size* bytes. Return False if the client left or read nothing for *timeout* seconds.

    On timeout the connection is aborted, because the client would not read the end of the stream either.
    """
    transport = request.transport
    try:
        if transport is not None and size <= MAX_IMMEDIATE_WRITE_BYTES and not transport.get_write_buffer_size():
            await write
        else:
            async with asyncio.timeout(timeout):
                await write
    except ConnectionError:
        return False
    except TimeoutError:
        if transport is not None:
            transport.abort()
        return False
    return True


class EventStream(EventSourceResponse):
    """A long-lived response to a GET, open while its ``async with`` block runs. Thousands may be open and idle.

    It differs from its base class in two ways. One *keepalive* serves all streams, where aiohttp-sse starts a task for
    each. Events are written as bytes, because there are no lines to split and aiohttp-sse's text handling takes three
    times as long.
    """

    def __init__(self, request: web.Request, keepalive: Keepalive) -> None:
        super().__init__(sep="\n", send_timeout=WRITE_TIMEOUT_SECONDS)
        self._request, self._keepalive = request, keepalive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers like a plain stream does. The base class would also start its keepalive task."""
        if self.prepared:
            return await web.StreamResponse.prepare(self, request)
        self._set_tcp_user_timeout(request)
        writer = await web.StreamResponse.prepare(self, request)
        # They have been sent; keeping them would cost each idle stream more than 1 KB.
        self.headers.clear()
        return writer

    async def __aenter__(self) -> Self:
        await self.prepare(self._request)
        self._keepalive.add(self)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._keepalive.remove(self)

    def send_keepalive(self) -> None:
        """Write a comment, unless the client is already far behind."""
        self._write_now(KEEPALIVE_COMMENT)

    async def write_event(self, data: bytes) -> bool:
        """Write one event. Return False if the client left or stopped reading."""
        return await write_with_timeout(self._request, self.write(data), len(data))

    async def forward_messages(self, message_queue: MessageQueue) -> None:
        """Forward the messages of *message_queue* until it is closed or the client leaves."""
        message_queue.try_send = self._forward_now
        while (data := await message_queue.get()) is not None:
            if not await self.write_event(format_event(data)):
                return
            # Free its memory: it may be large, and the next message may come hours later.
            del data

    def _forward_now(self, data: bytes) -> bool:
        return len(data) <= MAX_IMMEDIATE_WRITE_BYTES and self._write_now(format_event(data))

    def _write_now(self, data: bytes) -> bool:
        """Write without waking a task. Return False if too much is buffered or the client left.

        Order is preserved: a task that waits in :meth:`write_event` has already written its data.
        """
        transport = self._request.transport
        if (
            transport is None
            or transport.is_closing()
            or transport.get_write_buffer_size() + len(data) > MAX_IMMEDIATE_WRITE_BYTES
        ):
            return False
        try:
            # The first step writes; further steps would only wait for the client.
            self.write(data).send(None)
        except StopIteration:
            pass
        return True
