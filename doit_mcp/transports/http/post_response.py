"""One JSON body, unless something must be said first: then an event stream that ends with the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Self

from aiohttp import web

from .buffered_response import JSON, Whole
from .first_event_delay import Hearts
from .sse_writer import COMMENT, PATIENCE_S, event, written
from .stream_recorder import Recording

# Milliseconds after which a client whose connection was let go asks for the rest.
RETRY_MS = 500
STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-transform"),
    # Asks nginx and its kin to pass events on at once (2026-07-28, Receiving Messages).
    ("X-Accel-Buffering", "no"),
)


def whole(
    status: int, body: bytes, headers: dict[str, str] | None = None, *, events_alone: bool = False
) -> web.StreamResponse:
    """An answer with nothing said before it: JSON that no cache may keep. A result for a client that takes
    *events_alone* is the one event of a stream."""
    kind = JSON
    if events_alone and status == 200:
        kind, body = STREAM_HEADERS, event(body)
    if headers is None:
        return Whole(status, body, kind)
    return web.Response(status=status, body=body, headers=dict(kind) | headers)


class Events(web.StreamResponse):
    """An event stream whose first event is at hand: it goes out with the headers, in one piece."""

    _send_headers_immediately = False


class Answer:
    """The HTTP answer to one POST; it is the channel of the request, too. Used as a context manager by the handler of
    that POST: behind the block nothing is written any more, and what is still to be said is only kept.

    *may_stream* says whether the client takes event streams, *events_alone* that it takes nothing else. *hearts* have a
    quiet stream say that it is alive, *patience* is how long a client may take nothing, in seconds; *recording* keeps
    what a client may come back for.
    """

    __slots__ = (
        "_events_alone",
        "_gone",
        "_heart",
        "_hearts",
        "_lock",
        "_patience",
        "_recording",
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
        events_alone: bool = False,
        hearts: Hearts,
        recording: Recording | None = None,
        patience: float = PATIENCE_S,
    ) -> None:
        self._request, self.may_stream, self._hearts, self._recording = request, may_stream, hearts, recording
        self._patience, self._events_alone = patience, events_alone
        self._stream: web.StreamResponse | None = None
        self._gone = False
        # Made when there is a stream to write to.
        self._lock: asyncio.Lock | None = None
        # What the handler gives back to aiohttp: the answer, or the stream that was ended before it.
        self._response: web.StreamResponse | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._heart: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self.may_stream:
            self._hearts.add(self)
        return self

    def __exit__(self, *failure: object) -> None:
        self._gone = True
        self._stop_beating()

    async def settled(self) -> web.StreamResponse:
        """What the handler has to give back, once that is known."""
        while self._response is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._response

    def _settle(self, response: web.StreamResponse) -> None:
        self._response = response
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, data: bytes) -> None:
        """Send a message ahead of the answer. A client that cannot take streams, or left, is spared it."""
        if not self.may_stream:
            return
        id = await self._recording.add(data) if self._recording is not None else None
        await self._write(event(data, id))

    async def finish(self, status: int, body: bytes) -> None:
        """Send the answer itself; to be called once, whether or not the client is still there."""
        if self._heart is None:
            self._hearts.remove(self)
        else:
            await self._fall_silent()
        if self._stream is not None or (self._recording is not None and self._recording.started):
            id = await self._recording.add(body, last=True) if self._recording is not None else None
            await self._write(event(body, id), last=True)
        if self._response is not None:
            return
        if self._stream is None:
            self._settle(whole(status, body, events_alone=self._events_alone))
        else:
            await self._end(self._stream)

    async def nothing(self) -> None:
        """End without an answer: the request was cancelled."""
        await self._fall_silent()
        if self._recording is not None:
            await self._recording.end()
        if self._stream is not None:
            await self._end(self._stream)
        elif self._response is None:
            self._settle(web.Response(headers=STREAM_HEADERS))

    async def release(self) -> None:
        """End the connection before the answer, where the client can fetch the rest (2025-11-25, polling)."""
        if self._recording is None or not self._recording.polls or not self.may_stream or self._response is not None:
            return
        await self._fall_silent()
        if self._stream is None:
            await self._write(b"")
        if self._stream is not None:
            await self._end(self._stream)
        self._gone = True

    async def _end(self, stream: web.StreamResponse) -> None:
        if not self._gone:
            await self._written(stream.write_eof(), 0)
        if self._response is None:
            self._settle(stream)

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        async with self._locked():
            if not self._gone and (self._recording is None or not self._recording.followed):
                await self._written(self._put(data, last), len(data))

    async def _put(self, data: bytes, last: bool) -> None:
        stream = self._stream
        if stream is None:
            stream = self._stream = Events(headers=STREAM_HEADERS)
            await stream.prepare(self._request)
            data = await self._beginning() + data
        if last:
            # With the last event in one piece; ending it once more does nothing.
            await stream.write_eof(data)
        elif data:
            await stream.write(data)

    async def _written(self, writing: Coroutine[Any, Any, None], size: int) -> None:
        """Write; a client that left is gone. In the handshake era its call goes on (Transports, disconnection)."""
        if not await written(self._request, writing, size, self._patience):
            self._gone = True

    def _locked(self) -> asyncio.Lock:
        """One writer at a time: what a call says, and that it is alive."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _beginning(self) -> bytes:
        """What a client has to know that may come back for the rest (2025-11-25, polling)."""
        if self._recording is None or not self._recording.polls:
            return b""
        return f"id: {await self._recording.start()}\nretry: {RETRY_MS}\ndata: \n\n".encode()

    def begin_to_beat(self, context: Context) -> None:
        """Say from now on that the request is worked at."""
        self._heart = asyncio.get_running_loop().create_task(self._beating(), context=context)

    async def _beating(self) -> None:
        """Comments on a quiet stream; the first one makes it a stream, so that proxies and clients keep waiting."""
        while not self._gone:
            await self._write(COMMENT)
            await asyncio.sleep(self._hearts.seconds)

    async def _fall_silent(self) -> None:
        """No more comments; one that is being written, which may open the stream, is written to its end."""
        if self._heart is not None:
            async with self._locked():
                self._stop_beating()
        self._stop_beating()

    def _stop_beating(self) -> None:
        self._hearts.remove(self)
        if self._heart is not None:
            self._heart.cancel()
            self._heart = None
