"""One JSON body, unless something must be said first: then an event stream that ends with the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from aiohttp import web

from .recording import Recording
from .writing import PATIENCE_S, event, written

# Milliseconds after which a client whose connection was let go asks for the rest.
RETRY_MS = 500
STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    # Asks nginx and its kin to pass events on at once (2026-07-28, Receiving Messages).
    "X-Accel-Buffering": "no",
}
COMMENT = b": alive\n\n"


def json_answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON body that no cache may keep."""
    kept = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=status, body=body, headers=kept | (headers or {}))


class Nowhere:
    """The channel of requests that say nothing ahead of their answer."""

    may_stream = False

    async def send(self, data: bytes) -> None:
        """Nothing is ever sent."""

    async def release(self) -> None:
        """There is no stream to end."""


NOWHERE = Nowhere()


class Answer:
    """The HTTP answer to one POST; it is the channel of the request, too. Used as a context manager by the handler of
    that POST: behind the block nothing is written any more, and what is still to be said is only kept.

    *beat* is how often a quiet stream says that it is alive, *patience* how long a client may take nothing, in seconds;
    *recording* keeps what a client may come back for.
    """

    __slots__ = (
        "_beat",
        "_gone",
        "_heart",
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
        beat: float,
        recording: Recording | None = None,
        patience: float = PATIENCE_S,
    ) -> None:
        self._request, self.may_stream, self._beat, self._recording = request, may_stream, beat, recording
        self._patience = patience
        self._stream: web.StreamResponse | None = None
        self._gone = False
        # Made when there is a stream to write to.
        self._lock: asyncio.Lock | None = None
        # What the handler gives back to aiohttp: the answer, or the stream that was ended before it.
        self._response: web.StreamResponse | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._heart: asyncio.TimerHandle | asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self.may_stream:
            self._heart = asyncio.get_running_loop().call_later(self._beat, self._start_beating)
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
        await self._fall_silent()
        if self._stream is not None or (self._recording is not None and self._recording.started):
            id = await self._recording.add(body, last=True) if self._recording is not None else None
            await self._write(event(body, id), last=True)
        if self._response is not None:
            return
        if self._stream is None:
            self._settle(json_answer(status, body))
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
        stream = self._stream or await self._open()
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

    async def _open(self) -> web.StreamResponse:
        stream = web.StreamResponse(headers=STREAM_HEADERS)
        await stream.prepare(self._request)
        self._stream = stream
        if self._recording is not None and self._recording.polls:
            await stream.write(f"id: {await self._recording.start()}\nretry: {RETRY_MS}\ndata: \n\n".encode())
        return stream

    def _start_beating(self) -> None:
        self._heart = asyncio.get_running_loop().create_task(self._beating())

    async def _beating(self) -> None:
        """Comments on a quiet stream; the first one makes it a stream, so that proxies and clients keep waiting."""
        while not self._gone:
            await self._write(COMMENT)
            await asyncio.sleep(self._beat)

    async def _fall_silent(self) -> None:
        """No more comments; one that is being written, which may open the stream, is written to its end."""
        if isinstance(self._heart, asyncio.Task):
            async with self._locked():
                self._stop_beating()
        self._stop_beating()

    def _stop_beating(self) -> None:
        if self._heart is not None:
            self._heart.cancel()
            self._heart = None
