"""EventStream: a long-lived answer to a GET, made so that thousands of them may be open and quiet."""

from __future__ import annotations

from typing import Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from ...server.message_queue import MessageQueue
from . import app_keys
from .sse_writer import (
    KEEPALIVE_COMMENT,
    MAX_IMMEDIATE_WRITE_BYTES,
    WRITE_TIMEOUT_SECONDS,
    format_event,
    write_with_timeout,
)


class EventStream(EventSourceResponse):
    """aiohttp-sse's response, open while the block runs. The application's ticker has it say that it is alive, where
    aiohttp-sse has a task for each.

    Events are written as bytes: what aiohttp-sse does to text costs three times as much, and there is nothing to split.
    """

    def __init__(self, request: web.Request) -> None:
        super().__init__(sep="\n", send_timeout=WRITE_TIMEOUT_SECONDS)
        self._request = request

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers, as a plain stream does; aiohttp-sse's own would start that task."""
        if self.prepared:
            return await web.StreamResponse.prepare(self, request)
        self._set_tcp_user_timeout(request)
        writer = await web.StreamResponse.prepare(self, request)
        # They are sent; kept, they are more than 1 KB of what a quiet stream holds.
        self.headers.clear()
        return writer

    async def __aenter__(self) -> Self:
        await self.prepare(self._request)
        self._request.app[app_keys.KEEPALIVE].add(self)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._request.app[app_keys.KEEPALIVE].remove(self)

    def send_keepalive(self) -> None:
        """Say that the stream is alive; a reader who is that far behind is not told so as well."""
        self._write_now(KEEPALIVE_COMMENT)

    async def write_event(self, data: bytes) -> bool:
        """Write one event; False when the reader is gone or takes nothing."""
        return await write_with_timeout(self._request, self.write(data), len(data))

    async def forward_messages(self, message_queue: MessageQueue) -> None:
        """Pass on what is put into *message_queue* until it is closed or the reader is gone."""
        message_queue.try_send = self._forward_now
        while (data := await message_queue.get()) is not None:
            if not await self.write_event(format_event(data)):
                return
            # It may be long, and the next one hours away.
            del data

    def _forward_now(self, data: bytes) -> bool:
        return len(data) <= MAX_IMMEDIATE_WRITE_BYTES and self._write_now(format_event(data))

    def _write_now(self, data: bytes) -> bool:
        """Write where the reader keeps up, for which no task has to be woken; False where much waits, or nobody reads.

        The order is kept: whoever waits in :meth:`say` has written already.
        """
        transport = self._request.transport
        if (
            transport is None
            or transport.is_closing()
            or transport.get_write_buffer_size() + len(data) > MAX_IMMEDIATE_WRITE_BYTES
        ):
            return False
        try:
            # Its first step writes; anything after that would only be to wait for the reader.
            self.write(data).send(None)
        except StopIteration:
            pass
        return True
