"""Connections without a complete request head are limited in bytes, number and time."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from doit_mcp.transports.http import connection_limits
from doit_mcp.transports.http.pending_connections import PendingConnections
from doit_mcp.transports.http.request_head_limits import MAX_HEAD_BYTES, MAX_TARGET_BYTES
from tests.transports.http.serving import Site, serving
from tests.transports.http.streaming import Wire, raw_connection, raw_post
from tests.transports.http.test_security_process import program

BEGUN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
WHOLE = BEGUN + b"\r\n"
MIB = 1 << 20


async def send_all(wire: Wire, data: bytes) -> None:
    """Send as much as the server reads."""
    try:
        wire.writer.write(data)
        await wire.writer.drain()
    except ConnectionError:
        return


async def metric(site: Site, reason: str) -> float:
    text = (await site.send("GET", "/metrics", {})).text
    start = f'doit_mcp_connections_closed_total{{reason="{reason}"'
    lines = [line for line in text.splitlines() if line.startswith(start)]
    return float(lines[0].split()[1]) if lines else 0.0


@pytest.mark.requirement("N1")
async def test_n1_endless_heads_use_no_memory(tmp_path: Path) -> None:
    """160 MB of header lines from unauthenticated clients are refused and not stored."""
    host, port = "", 0

    async def endless() -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        wire = Wire(reader, writer)
        await send_all(wire, BEGUN)
        for number in range(20):
            await send_all(wire, b"X-%d: " % number + b"y" * 200_000 + b"\r\n")
        wires.append(writer)
        # Unread data may have made the system discard the response.
        try:
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b" 431 "

    wires: list[asyncio.StreamWriter] = []
    async with program(tmp_path) as server:
        host, port = server.base.removeprefix("http://").split(":")[0], int(server.base.rpartition(":")[2])
        memory = server.rss
        answers = await asyncio.gather(*(endless() for _ in range(40)))
        assert server.rss - memory < 50 * MIB, f"{(server.rss - memory) >> 20} MiB"
        assert all(b" 431 " in answer for answer in answers)
        for writer in wires:
            writer.transport.abort()
        assert (await server.send("GET", "/healthz", {})).status == 200


@pytest.mark.requirement("N1")
async def test_n1_endless_trailers_use_no_memory(tmp_path: Path) -> None:
    """Trailers are stored like headers, also those of a request that was refused already."""
    start = b"POST /mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"

    async def endless() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(host, port)
        wire = Wire(asyncio.StreamReader(), writer)
        await send_all(wire, start)
        for number in range(40):
            await send_all(wire, b"X-%d: " % number + b"y" * 200_000 + b"\r\n")
        return writer

    async with program(tmp_path) as server:
        host, port = server.base.removeprefix("http://").split(":")[0], int(server.base.rpartition(":")[2])
        memory = server.rss
        writers = await asyncio.gather(*(endless() for _ in range(40)))
        assert server.rss - memory < 50 * MIB, f"{(server.rss - memory) >> 20} MiB"
        for writer in writers:
            writer.transport.abort()


@pytest.mark.requirement("H9", "X6", "N1")
@pytest.mark.parametrize("ended", [True, False])
async def test_n1_oversized_head_is_431_in_json(site: Site, ended: bool) -> None:
    """The error names the limit and quotes nothing of the request."""
    async with raw_connection(site) as wire:
        wire.writer.write(BEGUN + b"X: " + b"s3cret" * (MAX_HEAD_BYTES // 6) + (b"\r\n\r\n" if ended else b""))
        status, body = await wire.answer()
        assert await wire.rest() == b""
    assert status == 431 and str(MAX_HEAD_BYTES) in json.loads(body)["error"]["message"] and b"s3cret" not in body


@pytest.mark.requirement("N1")
async def test_n1_tokens_of_any_size_are_a_client_error(site: Site) -> None:
    for size, status in ((8_192, 401), (30_000, 401), (100_000, 431)):
        async with raw_connection(site) as wire:
            wire.writer.write(raw_post(site, {"Authorization": "Bearer " + "x" * size}))
            assert (await wire.answer())[0] == status


@pytest.mark.requirement("N1")
async def test_n1_oversized_target_is_414(site: Site) -> None:
    async with raw_connection(site) as wire:
        wire.writer.write(b"GET /s3cret?" + b"y" * MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status, body = await wire.answer()
    assert status == 414 and str(MAX_TARGET_BYTES) in body.decode() and b"s3cret" not in body


@pytest.mark.requirement("N1")
async def test_n1_too_many_headers(site: Site) -> None:
    async with raw_connection(site) as wire:
        wire.writer.write(BEGUN + b"".join(b"X-%d: y\r\n" % number for number in range(1000)) + b"\r\n")
        assert (await wire.answer())[0] == 400


@pytest.mark.requirement("J9", "N1")
async def test_n1_head_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending a byte now and then does not extend it; requests and bodies that take longer are not affected."""
    monkeypatch.setattr(connection_limits, "HEAD_TIMEOUT_SECONDS", 0.5)
    async with (
        serving() as site,
        raw_connection(site) as slow,
        raw_connection(site) as second,
        raw_connection(site) as body,
        raw_connection(site) as idle,
    ):
        body.writer.write(raw_post(site, site.headers() | {"Content-Length": "60"}) + b" ")
        idle.writer.write(WHOLE)
        second.writer.write(WHOLE + BEGUN)
        assert (await second.answer())[0] == 200 and (await idle.answer())[0] == 200
        closed = asyncio.create_task(slow.rest())
        slow.writer.write(BEGUN + b"X: ")
        while not closed.done():
            slow.writer.write(b"y")
            await asyncio.sleep(0.05)
        # Data in transit when the server closes makes the system reset the connection.
        (end,) = await asyncio.gather(closed, return_exceptions=True)
        assert (end == b"" or isinstance(end, ConnectionError)) and await second.rest() == b""
        assert await metric(site, "head_timeout") == 2
        message = json.dumps(site.request("ping")).encode()
        body.writer.write(message + b" " * (59 - len(message)))
        assert (await body.answer())[0] == 200
        idle.writer.write(WHOLE)
        assert (await idle.answer())[0] == 200


@pytest.mark.requirement("N1")
async def test_n1_oldest_connections_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All unfinished heads share a limit in bytes; clients that complete their requests are served all the while."""
    monkeypatch.setattr(connection_limits, "MAX_UNFINISHED_BYTES", 100_000)
    async with serving() as site, AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(raw_connection(site)) for _ in range(6)]
        for number, wire in enumerate(wires):
            wire.writer.write(BEGUN + b"X: " + b"y" * 30_000)
            if number >= 3:
                assert await wires[number - 3].rest() == b""
        assert await metric(site, "head_too_many") == 3
        for wire in wires[3:]:
            wire.writer.write(b"\r\n\r\n")
            assert (await wire.answer())[0] == 200


@pytest.mark.requirement("N1")
async def test_n1_silent_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_SILENT_CONNECTIONS", 4)
    async with serving() as site, AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(raw_connection(site)) for _ in range(6)]
        assert [await wire.rest() for wire in wires[:2]] == [b"", b""]
        # Only connections without a request are closed.
        for wire in wires[2:]:
            wire.writer.write(WHOLE)
            assert (await wire.answer())[0] == 200
        more = [await stack.enter_async_context(raw_connection(site)) for _ in range(6)]
        assert await more[0].rest() == b""
        wires[2].writer.write(WHOLE)
        assert (await wires[2].answer())[0] == 200


class Fake:
    def __init__(self) -> None:
        self.closed = False

    def force_close(self) -> None:
        self.closed = True


@pytest.mark.requirement("N1")
async def test_n1_released_connections_are_not_counted() -> None:
    reasons: list[str] = []
    held = PendingConnections(timeout_seconds=60, max_connections=2, max_bytes=10, on_closed=reasons.append)
    first, second, third = Fake(), Fake(), Fake()
    held.track(first, 5)
    held.track(first, 8)
    held.track(second, 2)
    assert held.total_bytes == 10 and len(held) == 2
    held.untrack(first)
    held.untrack(first)
    held.track(third, 8)
    assert held.total_bytes == 10 and not reasons
    held.track(third, 9)
    assert second.closed and not third.closed and reasons == ["too_many"] and held.total_bytes == 9
    held.stop()


@pytest.mark.requirement("N8")
@pytest.mark.parametrize("pipelined", [False, True])
async def test_n8_partial_head_is_not_idle(pipelined: bool) -> None:
    """A head may arrive in pieces, before and after the idle timeout of the connection."""
    begun, rest = WHOLE[:20], WHOLE[20:]
    async with serving(keep_alive_timeout_s=1) as site, raw_connection(site) as wire:
        wire.writer.write(WHOLE + begun if pipelined else WHOLE)
        assert (await wire.answer())[0] == 200
        if not pipelined:
            wire.writer.write(begun)
        await asyncio.sleep(1.5)
        wire.writer.write(rest)
        assert (await wire.answer())[0] == 200
        # Now the connection is idle.
        assert await wire.rest() == b""


@pytest.mark.requirement("N8")
async def test_n8_idle_connections_are_kept_as_configured() -> None:
    settings: dict[str, Any] = {"keep_alive_timeout_s": 1}
    async with serving(**settings) as site, raw_connection(site) as idle, raw_connection(site) as silent:
        idle.writer.write(WHOLE)
        assert (await idle.answer())[0] == 200
        assert await idle.rest() == b"" and await silent.rest() == b""
