"""HTTP/1.1 client with minimal overhead: the load must be faster than every server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import cast

OnResponse = Callable[[int, bytes, bytes], None]
OnEvent = Callable[[bytes, bytes], None]
BODILESS_STATUSES = (202, 204)


class MeasurementFailed(Exception):
    """A response is wrong or missing, so the measurement is void."""


def find_header(head: bytes, name: str) -> bytes:
    """The value of a header in *head*; empty if it is missing."""
    match = re.search(rb"\r\n" + name.encode() + rb":[ \t]*([^\r\n]*)", head, re.IGNORECASE)
    return match[1].strip() if match else b""


def decode_chunks(raw: bytes, start: int) -> bytes | None:
    """The chunked body that starts at *start*; None if it is incomplete."""
    parts: list[bytes] = []
    while (line := raw.find(b"\r\n", start)) >= 0:
        size = int(raw[start:line].partition(b";")[0], 16)
        end = line + 2 + size
        if len(raw) < end + 2:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(raw[line + 2 : end])
        start = end + 2
    return None


class Connection(asyncio.Protocol):
    """A persistent connection, with at most one request in flight, or one endless event stream."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.on_response: OnResponse | None = None
        self.on_lost: Callable[[], None] | None = None
        self.closed = False
        self._received = b""
        # Of a response with a known length: the received parts, and the number of missing bytes.
        self._pieces: list[bytes] = []
        self._missing = 0
        self._stream: EventStream | None = None
        self._opening: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # A cast, because uvloop's transports are not registered as subclasses.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the pending request, if any."""
        self.closed = True
        if self.on_lost is not None:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        """Handle bytes of a response, of the head of a stream, or of its events."""
        if self._stream is not None and self._opening is None:
            self._stream.feed(data)
            return
        if self._missing > 0:
            # Joined only when complete, because a long response arrives in many parts.
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data, self._pieces = b"".join(self._pieces), []
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        if self._opening is not None:
            self._start_stream(received[:end], received[end + 4 :])
            return
        body = self._parse_body(received, end)
        if body is not None:
            self._received = b""
            assert self.on_response is not None, "an unexpected response"
            self.on_response(int(received[9:12]), received[:end], body)

    def _parse_body(self, received: bytes, end: int) -> bytes | None:
        head = received[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            size = int(head[at + 17 :].partition(b"\r\n")[0])
            self._missing = end + 4 + size - len(received)
            return received[end + 4 :] if self._missing <= 0 else None
        if b"\r\ntransfer-encoding: chunked" in head:
            return decode_chunks(received, end + 4)
        if int(received[9:12]) in BODILESS_STATUSES:
            return b""
        raise MeasurementFailed(f"a response without a length: {head[:200]!r}")

    def request(self, request: bytes) -> asyncio.Future[tuple[int, bytes, bytes]]:
        """Send a request; the future gets status, head and body of the response, or MeasurementFailed."""
        future: asyncio.Future[tuple[int, bytes, bytes]] = asyncio.get_running_loop().create_future()

        def complete(status: int, head: bytes, body: bytes) -> None:
            if not future.done():
                future.set_result((status, head, body))

        self.on_response, self.on_lost = complete, partial(_fail_on_close, future)
        self.transport.write(request)
        return future

    async def open_stream(self, request: bytes, on_event: OnEvent) -> None:
        """Open a stream: *on_event* gets the name and data of each event. Raises MeasurementFailed."""
        self._stream = EventStream(on_event)
        self._opening = asyncio.get_running_loop().create_future()
        opening = self._opening
        self.on_lost = partial(_fail_on_close, opening)
        self.transport.write(request)
        await opening
        self.on_lost = None

    def _start_stream(self, head: bytes, rest: bytes) -> None:
        assert self._opening is not None and self._stream is not None
        opening, self._opening, self._received = self._opening, None, b""
        if head[9:12] != b"200" or b"text/event-stream" not in find_header(head, "content-type"):
            opening.set_exception(MeasurementFailed(f"not a stream: {head[:200]!r} {rest[:200]!r}"))
            return
        self._stream.chunked = b"chunked" in find_header(head, "transfer-encoding").lower()
        opening.set_result(None)
        if rest:
            self._stream.feed(rest)


def _fail_on_close(future: asyncio.Future[None] | asyncio.Future[tuple[int, bytes, bytes]]) -> None:
    if not future.done():
        future.set_exception(MeasurementFailed("the server closed the connection"))


class EventStream:
    """Parses the bytes of an event stream incrementally."""

    def __init__(self, on_event: OnEvent) -> None:
        self.chunked = False
        self._on_event = on_event
        self._raw = b""
        self._text = b""

    def feed(self, data: bytes) -> None:
        """Parse more bytes."""
        self._text += self._decode_chunks(data) if self.chunked else data
        # A trailing carriage return may be half of a line ending, so it waits for the next bytes.
        text = self._text.replace(b"\r\n", b"\n")
        *events, self._text = text.split(b"\n\n")
        for item in events:
            self._emit(item)

    def _decode_chunks(self, data: bytes) -> bytes:
        raw, start, decoded = self._raw + data, 0, b""
        while (line := raw.find(b"\r\n", start)) >= 0:
            end = line + 2 + int(raw[start:line].partition(b";")[0], 16)
            if len(raw) < end + 2:
                break
            decoded += raw[line + 2 : end]
            start = end + 2
        self._raw = raw[start:]
        return decoded

    def _emit(self, text: bytes) -> None:
        name, data = b"message", []
        for line in text.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
        if any(data):
            self._on_event(name, b"\n".join(data))


def parse_events(body: bytes) -> list[bytes]:
    """The data of all events of a complete stream."""
    events: list[bytes] = []
    EventStream(lambda name, data: events.append(data)).feed(body)
    return events
