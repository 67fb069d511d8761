"""EventStream: long-lived streams that cost little while idle and keep the order of messages under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from doit_mcp.server.message_queue import MessageQueue
from doit_mcp.transports.http.event_stream import (
    KEEPALIVE_COMMENT,
    MAX_IMMEDIATE_WRITE_BYTES,
    EventStream,
    format_event,
)
from doit_mcp.transports.http.keepalive import Keepalive

# Seconds, longer than any of these tests.
INTERVAL = 3600
# More than socket buffers hold for a client that reads nothing.
MUCH = 16 << 20


@dataclass
class Streams:
    """A server of event streams, with its message queues in the order in which the streams were opened."""

    port: int = 0
    keepalive: Keepalive = field(default_factory=lambda: Keepalive(INTERVAL))
    outboxes: list[MessageQueue] = field(default_factory=list)
    streams: list[EventStream] = field(default_factory=list)
    ended: int = 0
    rounds: int = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        outbox = MessageQueue()
        try:
            async with EventStream(request, self.keepalive) as stream:
                self.outboxes.append(outbox)
                self.streams.append(stream)
                await stream.forward_messages(outbox)
        finally:
            self.ended += 1
        return stream

    def round(self) -> None:
        """Send a keepalive on every stream."""
        self.rounds += 1
        self.keepalive.send_due(asyncio.get_running_loop().time() + self.rounds * INTERVAL)

    async def end(self, count: int) -> None:
        """Wait until this many streams have ended."""
        async with asyncio.timeout(10):
            while self.ended < count:
                await asyncio.sleep(0.002)


class Reader:
    """A client that reads only as much as the test requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.head = reader, writer, b""

    async def chunk(self) -> bytes | None:
        """Return the next chunk of the body, or None at its end."""
        size = int(await asyncio.wait_for(self.reader.readline(), 20), 16)
        data = await asyncio.wait_for(self.reader.readexactly(size + 2), 20)
        return data[:-2] if size else None


@pytest.fixture
async def streams() -> AsyncIterator[Streams]:
    streams = Streams()
    app = web.Application()
    app.router.add_get("/", streams.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    streams.port = runner.addresses[0][1]
    yield streams
    await runner.cleanup()


@asynccontextmanager
async def open_stream(streams: Streams) -> AsyncIterator[tuple[Reader, MessageQueue]]:
    """A stream whose headers have arrived."""
    before = len(streams.outboxes)
    reader = Reader(*await asyncio.open_connection("127.0.0.1", streams.port, limit=1 << 10))
    reader.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while (line := await asyncio.wait_for(reader.reader.readline(), 20)) != b"\r\n":
        reader.head += line
    assert len(streams.outboxes) == before + 1
    try:
        yield reader, streams.outboxes[-1]
    finally:
        reader.writer.transport.abort()


async def test_event_stream_headers(streams: Streams) -> None:
    async with open_stream(streams) as (reader, _):
        for line in (b"Content-Type: text/event-stream", b"Cache-Control: no-cache", b"X-Accel-Buffering: no"):
            assert line in reader.head
        assert not streams.streams[0].headers, "sent messages are not kept"


async def test_idle_stream_sends_keepalives(streams: Streams) -> None:
    async with open_stream(streams) as (reader, outbox):
        for _ in range(3):
            streams.round()
            assert await reader.chunk() == KEEPALIVE_COMMENT
        outbox.close()
        assert await reader.chunk() is None
        await streams.end(1)
        assert len(streams.keepalive) == 0


async def test_streams_have_no_tasks(streams: Streams) -> None:
    """The only tasks are aiohttp's for the connection and its handler."""
    async with open_stream(streams):
        task_count = len(asyncio.all_tasks())
        async with open_stream(streams):
            assert len(asyncio.all_tasks()) - task_count == 2


async def test_messages_are_written_immediately_for_fast_readers(streams: Streams) -> None:
    async with open_stream(streams) as (reader, outbox):
        # No other task has run in between that could have written them.
        assert outbox.try_send is not None and outbox.try_send(b"1")
        outbox.put(b"2")
        for number in (b"1", b"2"):
            assert await reader.chunk() == format_event(number)


async def test_order_is_kept_for_any_sizes(streams: Streams) -> None:
    """Some messages are written at once, and some wait for a reader that is slower than the writer."""
    messages = [b"%d " % number + b"x" * (number % 7 * MAX_IMMEDIATE_WRITE_BYTES // 3) for number in range(400)]
    async with open_stream(streams) as (reader, outbox):

        async def write() -> None:
            for number, data in enumerate(messages):
                outbox.put(data)
                streams.round()
                if number % 11 == 0:
                    await asyncio.sleep(0.002)

        writing = asyncio.create_task(write())
        read: list[bytes] = []
        while len(read) < len(messages):
            data = await reader.chunk()
            assert data is not None
            read += [] if data == KEEPALIVE_COMMENT else [data]
        await writing
    assert read == [format_event(data) for data in messages]


async def test_stalled_reader_does_not_delay_others(streams: Streams) -> None:
    """Other streams get messages and keepalives. A stalled client gets no keepalives, and is disconnected when too
    much is queued."""
    async with open_stream(streams) as (stalled, full), open_stream(streams) as (other, outbox):
        while full.try_send is not None and full.try_send(b"x" * MAX_IMMEDIATE_WRITE_BYTES):
            await asyncio.sleep(0)
        full.put(b"y" * MUCH)
        await asyncio.sleep(0)
        streams.round()
        outbox.put(b"hello")
        assert await other.chunk() == KEEPALIVE_COMMENT and await other.chunk() == format_event(b"hello")
        count = 0
        while not full.closed:
            full.put(b"z" * MAX_IMMEDIATE_WRITE_BYTES)
            count += 1
        assert count < 1000 and not outbox.closed


async def test_partially_sent_message_is_not_awaited(streams: Streams) -> None:
    """When a slow reader has partly caught up, the next small message is written without waiting."""
    async with open_stream(streams) as (reader, outbox):
        outbox.put(b"y" * MUCH)
        await reader.chunk()
        outbox.put(b"z")
        assert await reader.chunk() == format_event(b"z")


async def test_nothing_is_written_to_a_closed_connection(streams: Streams) -> None:
    """If the handler was not canceled, the next message ends the stream."""
    async with open_stream(streams) as (_, outbox):
        pass
    assert outbox.try_send is not None
    while outbox.try_send(b"is anybody there?"):
        await asyncio.sleep(0.002)
    streams.round()
    outbox.put(b"late")
    await streams.end(1)
    assert len(streams.keepalive) == 0
