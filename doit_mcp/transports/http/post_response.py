"""The response to a POST: a JSON body, or an event stream if messages precede the response or it takes long."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from contextvars import Context, copy_context
from typing import Any, Self

from aiohttp import web

from ...protocol.jsonrpc import INTERNAL_ERROR, Id, RpcError, error_bytes
from ...server.event_store import EventLog, EventStore
from ...server.sessions import Session
from .buffered_response import make_response
from .event_stream import (
    KEEPALIVE_COMMENT,
    STREAM_HEADERS,
    WRITE_TIMEOUT_SECONDS,
    format_event,
    write_with_timeout,
)
from .keepalive import Keepalive
from .request_body import AcceptedTypes

# The SSE retry field: how long a client waits before it resumes a stream that was closed before the response.
RETRY_MILLISECONDS = 500
RESPONSE_WITHHELD = (
    "The response contained a secret, so it was sent only once and is not stored. Check the current state: if the secret"
    " did not arrive, delete what was created and create it again"
)


class StreamRecorder:
    """Records the messages of one stream of a session, for clients that lose the connection.

    The log is opened with the first message, so a request with a plain JSON response leaves nothing behind.
    *request_ids* are the IDs of the requests whose responses are sent on the stream.
    """

    __slots__ = ("_event_store", "_log", "_request_ids", "_session")

    def __init__(self, event_store: EventStore, session: Session, request_ids: Sequence[Id]) -> None:
        self._event_store, self._session, self._request_ids = event_store, session, request_ids
        self._log: EventLog | None = None

    @property
    def supports_polling(self) -> bool:
        """Whether clients of this revision accept an event without a message (2025-11-25, priming)."""
        return self._session.caller.revision.supports("stream.polling")

    @property
    def is_started(self) -> bool:
        """Whether a log was opened."""
        return self._log is not None

    @property
    def is_resumed(self) -> bool:
        """Whether the client resumed the stream on another connection, which receives all further messages."""
        return self._log is not None and self._log.is_resumed

    async def start(self) -> str:
        """Open the log. Return the event ID of the start of the stream."""
        return (await self._open_log()).event_id(0)

    async def record(self, data: bytes, *, last: bool = False) -> str:
        """Record a message. Return its event ID."""
        return await self._event_store.append_event(self._session.id, await self._open_log(), data, last=last)

    async def end_with(self, body: bytes, withheld: bool) -> str:
        """Record the response, or errors in its place if it is *withheld*. Return its event ID."""
        return await self.record(make_withheld_errors(self._request_ids) if withheld else body, last=True)

    async def end(self) -> None:
        """Close the log without a response, so that a client that resumes does not wait for one."""
        if self._log is not None:
            await self._event_store.end_log(self._session.id, self._log)

    async def _open_log(self) -> EventLog:
        if self._log is None:
            # Random, because streams of different replicas must not share a name.
            self._log = self._event_store.open_log(
                self._session.id, secrets.token_hex(6), self._request_ids, self._session.owner
            )
            await self._event_store.begin_log(self._session.id, self._log)
        return self._log


def make_withheld_errors(ids: Sequence[Id]) -> bytes:
    """Return what is recorded instead of a response with a secret: an error for each request, as an array for several."""
    errors = [error_bytes(RpcError(INTERNAL_ERROR, RESPONSE_WITHHELD), id) for id in ids]
    return errors[0] if len(errors) == 1 else b"[" + b",".join(errors) + b"]"


class PostEventStream(web.StreamResponse):
    """An event stream whose first event is sent together with the headers."""

    _send_headers_immediately = False


class PostResponse:
    """The channel of one POST. Its handler uses it as a context manager: after the block, messages are only recorded.

    *accepted* are the media types that the client accepts. *event_store*, if given, records streams that can be
    resumed. A client that reads nothing for *write_timeout* seconds is disconnected.
    """

    is_shared = False
    # Additional headers of a JSON response.
    headers: dict[str, str] | None = None
    # What the handler returns to aiohttp, once known: the response, or a stream that ended before it.
    response: web.StreamResponse | None = None
    _waiter: asyncio.Future[None] | None = None
    _disconnected = False
    _recorder: StreamRecorder | None = None
    _stream: web.StreamResponse | None = None
    _withheld = False
    # Only streams need a lock.
    _lock: asyncio.Lock | None = None
    # The context of the request, while keepalives are enabled.
    _context: Context | None = None
    _keepalive_task: asyncio.Task[None] | None = None

    def __init__(
        self,
        request: web.Request,
        accepted: AcceptedTypes,
        keepalive: Keepalive,
        event_store: EventStore | None = None,
        write_timeout: float = WRITE_TIMEOUT_SECONDS,
    ) -> None:
        json, self.may_stream = accepted
        self._request, self._events_only, self._keepalive = request, not json, keepalive
        self._event_store, self._write_timeout = event_store, write_timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._disconnected = True
        if self._context is not None:
            self._keepalive.remove(self)
            if self._keepalive_task is not None:
                self._keepalive_task.cancel()

    def open(self, session: Session | None, request_ids: Sequence[Id]) -> None:
        """Start recording, if streams can be resumed, and send keepalives until the response."""
        if self._event_store is not None and session is not None and session.caller.revision.supports("resumption"):
            self._recorder = StreamRecorder(self._event_store, session, request_ids)
        if self.may_stream:
            self._context = copy_context()
            self._keepalive.add(self)

    async def wait_for_response(self) -> web.StreamResponse:
        """Return the response for the handler to return, once it is known."""
        while self.response is None:
            self._waiter = self._keepalive.loop.create_future()
            await self._waiter
        return self.response

    def _resolve(self, response: web.StreamResponse) -> None:
        self.response = response
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, data: bytes) -> None:
        """Send a message ahead of the response. It is dropped if the client accepts no streams.

        If the client left, the message is only recorded.
        """
        if not self.may_stream:
            return
        id = await self._recorder.record(data) if self._recorder is not None else None
        await self._write(format_event(data, id))

    async def finish(self, status: int, body: bytes) -> None:
        """Send the response. Call this once, even if the client left."""
        if self._keepalive_task is not None:
            await self._stop_keepalive()
        elif self._context is not None:
            # The usual case: no keepalive was sent.
            self._keepalive.remove(self)
            self._context = None
        if self._stream is not None or (self._recorder is not None and self._recorder.is_started):
            id = await self._recorder.end_with(body, self._withheld) if self._recorder is not None else None
            await self._write(format_event(body, id), last=True)
        if self.response is not None:
            return
        if self._stream is None:
            self._resolve(make_response(status, body, self.headers, events_only=self._events_only))
        else:
            await self._end_stream(self._stream)

    async def finish_canceled(self) -> None:
        """End without a response, because the request was canceled."""
        if self._context is not None:
            await self._stop_keepalive()
        if self._recorder is not None:
            await self._recorder.end()
        if self._stream is not None:
            await self._end_stream(self._stream)
        elif self.response is None:
            self._resolve(web.Response(headers=STREAM_HEADERS))

    def withhold_response(self) -> bool:
        """Send the response on this connection only. A client that resumes the stream gets an error instead."""
        self._withheld = True
        return True

    async def release(self) -> None:
        """End the connection before the response, if the client can fetch the rest (2025-11-25, polling)."""
        if (
            self._recorder is None
            or not self._recorder.supports_polling
            or not self.may_stream
            or self.response is not None
        ):
            return
        if self._context is not None:
            await self._stop_keepalive()
        if self._stream is None:
            await self._write(b"")
        if self._stream is not None:
            await self._end_stream(self._stream)
        self._disconnected = True

    async def _end_stream(self, stream: web.StreamResponse) -> None:
        if not self._disconnected:
            await self._write_with_timeout(stream.write_eof(), 0)
        if self.response is None:
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
            # Send the last event and the end together. Ending the stream again does nothing.
            await stream.write_eof(data)
        elif data:
            await stream.write(data)

    async def _write_with_timeout(self, writing: Coroutine[Any, Any, None], size: int) -> None:
        """Write, and record if the client left. A stateful request keeps running (Transports, disconnection)."""
        if not await write_with_timeout(self._request, writing, size, self._write_timeout):
            self._disconnected = True

    def _get_lock(self) -> asyncio.Lock:
        """Return the lock that keeps messages and keepalives from being written at the same time."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _priming_event(self) -> bytes:
        """Return the event that a client needs to resume the stream (2025-11-25, polling)."""
        if self._recorder is None or not self._recorder.supports_polling:
            return b""
        return f"id: {await self._recorder.start()}\nretry: {RETRY_MILLISECONDS}\ndata: \n\n".encode()

    def send_keepalive(self) -> None:
        """Write a comment. The first one turns the response into a stream, so that proxies and clients keep waiting."""
        if self._keepalive_task is None or self._keepalive_task.done():
            self._keepalive_task = self._keepalive.loop.create_task(
                self._write(KEEPALIVE_COMMENT), context=self._context
            )

    async def _stop_keepalive(self) -> None:
        """Stop keepalives. A comment that is being written, which may open the stream, is finished first."""
        self._keepalive.remove(self)
        if self._keepalive_task is not None:
            async with self._get_lock():
                self._keepalive_task.cancel()
        self._context = None
