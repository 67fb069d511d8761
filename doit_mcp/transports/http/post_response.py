"""One JSON body, unless something must be said first: then an event stream that ends with the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Self

from aiohttp import web

from .buffered_response import JSON_HEADERS, BufferedResponse
from .first_event_delay import FirstEventDelay
from .sse_writer import KEEPALIVE_COMMENT, WRITE_TIMEOUT_SECONDS, format_event, write_with_timeout
from .stream_recorder import StreamRecorder

# Milliseconds after which a client whose connection was let go asks for the rest.
RETRY_MILLISECONDS = 500
STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-transform"),
    # Asks nginx and its kin to pass events on at once (2026-07-28, Receiving Messages).
    ("X-Accel-Buffering", "no"),
)


def make_response(
    status: int, body: bytes, headers: dict[str, str] | None = None, *, events_only: bool = False
) -> web.StreamResponse:
    """An answer with nothing said before it: JSON that no cache may keep. A result for a client that takes
    *events_only* is the one event of a stream."""
    kind = JSON_HEADERS
    if events_only and status == 200:
        kind, body = STREAM_HEADERS, format_event(body)
    if headers is None:
        return BufferedResponse(status, body, kind)
    return web.Response(status=status, body=body, headers=dict(kind) | headers)


class PostEventStream(web.StreamResponse):
    """An event stream whose first event is at hand: it goes out with the headers, in one piece."""

    _send_headers_immediately = False


class PostResponse:
    """The HTTP answer to one POST; it is the channel of the request, too. Used as a context manager by the handler of
    that POST: behind the block nothing is written any more, and what is still to be said is only kept.

    *may_stream* says whether the client takes event streams, *events_alone* that it takes nothing else. *hearts* have a
    quiet stream say that it is alive, *patience* is how long a client may take nothing, in seconds; *recording* keeps
    what a client may come back for.
    """

    __slots__ = (
        "_events_only",
        "_disconnected",
        "_keepalive_task",
        "_first_event_delay",
        "_lock",
        "_write_timeout",
        "_recorder",
        "_request",
        "_response",
        "_stream",
        "_waiter",
        "may_stream",
    )

    def __init__(
        self,
        request: web.Request,
        *,
        may_stream: bool,
        events_only: bool = False,
        first_event_delay: FirstEventDelay,
        recorder: StreamRecorder | None = None,
        write_timeout: float = WRITE_TIMEOUT_SECONDS,
    ) -> None:
        self._request, self.may_stream, self._first_event_delay, self._recorder = (
            request,
            may_stream,
            first_event_delay,
            recorder,
        )
        self._write_timeout, self._events_only = write_timeout, events_only
        self._stream: web.StreamResponse | None = None
        self._disconnected = False
        # Made when there is a stream to write to.
        self._lock: asyncio.Lock | None = None
        # What the handler gives back to aiohttp: the answer, or the stream that was ended before it.
        self._response: web.StreamResponse | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._keepalive_task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self.may_stream:
            self._first_event_delay.add(self)
        return self

    def __exit__(self, *failure: object) -> None:
        self._disconnected = True
        self._cancel_keepalive()

    async def wait_for_response(self) -> web.StreamResponse:
        """What the handler has to give back, once that is known."""
        while self._response is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._response

    def _resolve(self, response: web.StreamResponse) -> None:
        self._response = response
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, data: bytes) -> None:
        """Send a message ahead of the answer. A client that cannot take streams, or left, is spared it."""
        if not self.may_stream:
            return
        id = await self._recorder.record(data) if self._recorder is not None else None
        await self._write(format_event(data, id))

    async def finish(self, status: int, body: bytes) -> None:
        """Send the answer itself; to be called once, whether or not the client is still there."""
        if self._keepalive_task is None:
            self._first_event_delay.remove(self)
        else:
            await self._stop_keepalive()
        if self._stream is not None or (self._recorder is not None and self._recorder.is_started):
            id = await self._recorder.record(body, last=True) if self._recorder is not None else None
            await self._write(format_event(body, id), last=True)
        if self._response is not None:
            return
        if self._stream is None:
            self._resolve(make_response(status, body, events_only=self._events_only))
        else:
            await self._end_stream(self._stream)

    async def finish_canceled(self) -> None:
        """End without an answer: the request was cancelled."""
        await self._stop_keepalive()
        if self._recorder is not None:
            await self._recorder.end()
        if self._stream is not None:
            await self._end_stream(self._stream)
        elif self._response is None:
            self._resolve(web.Response(headers=STREAM_HEADERS))

    async def release(self) -> None:
        """End the connection before the answer, where the client can fetch the rest (2025-11-25, polling)."""
        if (
            self._recorder is None
            or not self._recorder.supports_polling
            or not self.may_stream
            or self._response is not None
        ):
            return
        await self._stop_keepalive()
        if self._stream is None:
            await self._write(b"")
        if self._stream is not None:
            await self._end_stream(self._stream)
        self._disconnected = True

    async def _end_stream(self, stream: web.StreamResponse) -> None:
        if not self._disconnected:
            await self._write_with_timeout(stream.write_eof(), 0)
        if self._response is None:
            self._resolve(stream)

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        async with self._get_lock():
            if not self._disconnected and (self._recorder is None or not self._recorder.is_resumed):
                await self._write_with_timeout(self._write_to_stream(data, last), len(data))

    async def _write_to_stream(self, data: bytes, last: bool) -> None:
        stream = self._stream
        if stream is None:
            stream = self._stream = PostEventStream(headers=STREAM_HEADERS)
            await stream.prepare(self._request)
            data = await self._priming_event() + data
        if last:
            # With the last event in one piece; ending it once more does nothing.
            await stream.write_eof(data)
        elif data:
            await stream.write(data)

    async def _write_with_timeout(self, writing: Coroutine[Any, Any, None], size: int) -> None:
        """Write; a client that left is gone. In the handshake era its call goes on (Transports, disconnection)."""
        if not await write_with_timeout(self._request, writing, size, self._write_timeout):
            self._disconnected = True

    def _get_lock(self) -> asyncio.Lock:
        """One writer at a time: what a call says, and that it is alive."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _priming_event(self) -> bytes:
        """What a client has to know that may come back for the rest (2025-11-25, polling)."""
        if self._recorder is None or not self._recorder.supports_polling:
            return b""
        return f"id: {await self._recorder.start()}\nretry: {RETRY_MILLISECONDS}\ndata: \n\n".encode()

    def start_keepalive(self, context: Context) -> None:
        """Say from now on that the request is worked at."""
        self._keepalive_task = asyncio.get_running_loop().create_task(self._send_keepalives(), context=context)

    async def _send_keepalives(self) -> None:
        """Comments on a quiet stream; the first one makes it a stream, so that proxies and clients keep waiting."""
        while not self._disconnected:
            await self._write(KEEPALIVE_COMMENT)
            await asyncio.sleep(self._first_event_delay.seconds)

    async def _stop_keepalive(self) -> None:
        """No more comments; one that is being written, which may open the stream, is written to its end."""
        if self._keepalive_task is not None:
            async with self._get_lock():
                self._cancel_keepalive()
        self._cancel_keepalive()

    def _cancel_keepalive(self) -> None:
        self._first_event_delay.remove(self)
        if self._keepalive_task is not None:
            self._keepalive_task.cancel()
            self._keepalive_task = None
