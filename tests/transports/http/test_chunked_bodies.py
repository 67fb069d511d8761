"""Bodies in tiny chunks cost little: they are refused early, do not block the event loop, and are not parsed for
unauthenticated clients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from doit_mcp.transports.http import request_head_limits
from doit_mcp.transports.http.request_head_limits import MAX_CHUNK_FRAMING_BYTES, HeadParser
from tests.transports.http.serving import ADMIN, Site, serving
from tests.transports.http.streaming import Wire, raw_connection, raw_post
from tests.work_counter import MAX_LINES_PER_TURN, count_loop_lines

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"text":"%s"}}'


def head(site: Site, headers: Mapping[str, str]) -> bytes:
    return raw_post(site, {**headers, "Transfer-Encoding": "chunked"}).replace(b"Content-Length: 0\r\n", b"")


def chunks(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def send(wire: Wire, data: bytes) -> None:
    """Send the data; the server may close the connection meanwhile."""
    try:
        wire.writer.write(data)
        await wire.writer.drain()
    except ConnectionError:
        return


@pytest.mark.requirement("N1")
async def test_n1_tiny_chunks_are_rejected_before_all_are_parsed() -> None:
    async with serving() as site, raw_connection(site) as wire:
        data = head(site, site.headers(ADMIN)) + chunks(b" " * 600_000, 1)
        with count_loop_lines() as lines:
            sending = asyncio.create_task(send(wire, data))
            status = (await wire.answer())[0]
        sending.cancel()
        assert status == 400
        assert lines.longest < MAX_LINES_PER_TURN
        assert (await site.post(site.request("ping"))).result == {}


@pytest.mark.requirement("N1")
@pytest.mark.parametrize("size", [1, 16, 1000])
async def test_n1_chunked_body_yields_to_the_event_loop(size: int) -> None:
    """Chunks of one byte are accepted in a small body, and of 16 bytes in the largest. Other requests are served
    between the pieces."""
    body = PING % (b"x" * (50_000 if size == 1 else 3_900_000))
    async with serving() as site, raw_connection(site) as wire:
        data = head(site, site.headers(ADMIN)) + chunks(body, size)
        with count_loop_lines() as lines:
            sending = asyncio.create_task(send(wire, data))
            status = (await wire.answer())[0]
        await sending
        assert status == 200
        assert lines.longest < MAX_LINES_PER_TURN


@pytest.mark.requirement("N1")
async def test_n1_unauthenticated_chunks_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response is 401, and the connection is closed."""
    parsed = 0
    feed = HeadParser._feed_in_pieces

    def count(self: HeadParser, data: bytes) -> object:
        nonlocal parsed
        parsed += len(data)
        return feed(self, data)

    monkeypatch.setattr(request_head_limits.HeadParser, "_feed_in_pieces", count)
    async with serving() as site, raw_connection(site) as wire:
        body = chunks(b" " * 600_000, 1)
        await send(wire, head(site, {}) + body[:1000])
        answer = await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), 20)
        assert answer.startswith(b"HTTP/1.1 401 ") and b"connection: close" in answer.lower()
        before = parsed
        await send(wire, body[1000:])
        assert (await site.post(site.request("ping"))).result == {}
        assert parsed == before
        # One response, then the connection is closed.
        assert (await wire.rest()).count(b"HTTP/1.1") == 0


@pytest.mark.requirement("N1")
def test_n1_slack_exceeds_what_waits_while_the_parser_pauses() -> None:
    transport = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # private
    assert 2 * transport.max_size <= MAX_CHUNK_FRAMING_BYTES
