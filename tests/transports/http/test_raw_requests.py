"""Raw requests that aiohttp handles before the application get an error in JSON that quotes nothing."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from tests.transports.http.serving import Site
from tests.transports.http.streaming import raw_connection, raw_post

CANARY = b"c4nary"
ODD = {
    "expectation": (b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nExpect: c4nary\r\n\r\n", {417}),
    "expectation elsewhere": (b"GET /c4nary HTTP/1.1\r\nHost: {host}\r\nExpect: c4nary\r\n\r\n", {417}),
    "expectation of a probe": (b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nExpect: c4nary\r\n\r\n", {417}),
    "upgrade": (b"GET /c4nary HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", {404}),
    "upgrade to c4nary": (b"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade\r\nUpgrade: c4nary\r\n\r\n", {404}),
    "connect": (b"CONNECT c4nary:443 HTTP/1.1\r\nHost: {host}\r\n\r\n", {421}),
    "connect here": (b"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n", {421}),
    "options of all": (b"OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n", {404}),
    "star": (b"GET * HTTP/1.1\r\nHost: {host}\r\n\r\n", {400}),
    "http 0.9": (b"GET /c4nary\r\n\r\n", {421}),
    "http 1.0 without host": (b"POST /mcp HTTP/1.0\r\n\r\n", {421}),
    "http 1.1 without host": (b"POST /mcp HTTP/1.1\r\n\r\n", {400}),
    "two hosts": (b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nHost: c4nary\r\n\r\n", {400}),
    "http 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nc4nary", {400}),
    "http 3": (b"GET /c4nary HTTP/3.0\r\nHost: {host}\r\n\r\n", {400}),
    "tls": (b"\x16\x03\x01\x02\x00c4nary", {400}),
    "long method": (b"c4nary" * 20_000 + b" / HTTP/1.1\r\nHost: {host}\r\n\r\n", {400}),
    "other method": (b"PROPFIND /c4nary HTTP/1.1\r\nHost: {host}\r\n\r\n", {404}),
    "encodings": (b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {401}),
    "encoding that is not last": (
        b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, c4nary\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "two encodings": (
        b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
        b"\r\n0\r\n\r\n",
        {400},
    ),
    "chunks of http 1.0": (
        b"POST /mcp HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {401},
    ),
    "huge chunk": (
        b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nc4nary",
        {400},
    ),
    "two equal lengths": (
        b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        {400},
    ),
    "huge length": (b"POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999999999999999\r\n\r\n{}", {400}),
    "line feeds alone": (b"GET /c4nary HTTP/1.1\nHost: {host}\n\n", {400}),
    "blanks in the target": (b"GET /c4nary x HTTP/1.1\r\nHost: {host}\r\n\r\n", {400}),
    "bytes in the target": (b"GET /c4nary\xff\xfe HTTP/1.1\r\nHost: {host}\r\n\r\n", {400}),
    "bytes in a header": (b"GET /c4nary HTTP/1.1\r\nHost: {host}\r\nX-A: \xff\xfe\r\n\r\n", {404}),
}


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("case", ODD)
async def test_n24_unusual_requests(site: Site, case: str) -> None:
    """One response in JSON without any part of the request; the server keeps serving."""
    request, statuses = ODD[case]
    async with raw_connection(site) as wire:
        wire.writer.write(request.replace(b"{host}", site.base.removeprefix("http://").encode()))
        status, body = await wire.answer()
    assert status in statuses and json.loads(body)["error"] and CANARY not in body
    assert (await site.post(site.request("ping"))).result == {}


@pytest.mark.requirement("O1", "N24")
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://{host}/mcp", 401),
        ("HTTP://{host}/mcp", 401),
        ("https://{host}/mcp?x=1", 401),
        ("http://evil.example/mcp", 421),
        ("http://evil.example?x=/mcp", 421),
        ("http://{host}@evil.example/mcp", 421),
        ("http://user@{host}/mcp", 421),
        ("http://evil{host}/mcp", 421),
        ("http://127.0.0.1/mcp", 421),
        ("ftp://{host}/mcp", 421),
        ("http://evil.example/.well-known/oauth-protected-resource/mcp", 421),
        ("//evil.example/mcp", 404),
    ],
)
async def test_n24_absolute_target_must_name_our_host(site: Site, target: str, status: int) -> None:
    """It overrides the Host header (RFC 9112, 3.2.2), and a proxy may have checked only that header."""
    host = site.base.removeprefix("http://")
    async with raw_connection(site) as wire:
        wire.writer.write(f"POST {target.format(host=host)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        response_headers, body = await wire.answer()
    assert response_headers == status and b"evil" not in body


@pytest.mark.requirement("G1", "N24")
async def test_n24_http_layer_rejections_are_counted(site: Site) -> None:
    """Requests refused by the HTTP parser have a trace ID and count in the metrics."""
    async with raw_connection(site) as wire:
        wire.writer.write(b"POST /mcp HTTP/1.1\r\nHost: x\r\nExpect: c4nary\r\n\r\n")
        assert b"X-MCP-Trace-Id: " in await wire.rest()
    text = (await site.send("GET", "/metrics", {})).text
    assert 'doit_mcp_http_requests_total{method="other",route="other",status="417"} 1.0' in text


@pytest.mark.requirement("H5", "N24")
async def test_n24_no_100_continue_before_authentication(site: Site) -> None:
    """100 Continue is sent only for bodies that will be accepted."""
    message = json.dumps(site.request("ping")).encode()
    expecting = {"Expect": "100-continue", "Content-Length": str(len(message))}
    async with raw_connection(site) as wire:
        wire.writer.write(raw_post(site, expecting))
        assert (await wire.answer())[0] == 401
    async with raw_connection(site) as wire:
        wire.writer.write(raw_post(site, site.headers() | expecting | {"Content-Length": "100000000"}))
        assert (await wire.answer())[0] == 413
    async with raw_connection(site) as wire:
        wire.writer.write(raw_post(site, site.headers() | expecting))
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.writer.write(message)
        status, body = await wire.answer()
        assert status == 200 and json.loads(body)["result"] == {}


@pytest.mark.requirement("N24")
async def test_n24_broken_chunks_end_the_request(site: Site) -> None:
    """The handler does not wait for the rest of the body."""
    async with raw_connection(site) as wire:
        chunked = {"Transfer-Encoding": "chunked"}
        head = raw_post(site, site.headers() | chunked).replace(b"Content-Length: 0\r\n", b"")
        wire.writer.write(head + b"1\r\n{\r\n")
        await asyncio.sleep(0.05)
        wire.writer.write(b"zz\r\nc4nary")
        status, body = await wire.answer()
    assert status == 400 and CANARY not in body


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_n24_bodies_are_never_decompressed(site: Site, coding: str) -> None:
    """A body that cannot be decompressed is refused like one that can, and the connection stays open."""
    for headers, expected in ((site.headers(), 415), ({}, 401)):
        async with raw_connection(site) as wire:
            wire.writer.write(raw_post(site, headers | {"Content-Encoding": coding}, b"not packed at all"))
            assert (await wire.answer())[0] == expected
            wire.writer.write(raw_post(site, site.headers(), json.dumps(site.request("ping")).encode()))
            assert (await wire.answer())[0] == 200


@pytest.mark.requirement("J5", "N24")
async def test_n24_compressed_bodies_are_rejected(site: Site) -> None:
    """The rest of a refused request is skipped without decompressing it."""
    packed = gzip.compress(b" " * (64 << 20))
    for headers, expected in ((site.headers(), 415), ({}, 401)):
        async with raw_connection(site) as wire:
            wire.writer.write(raw_post(site, headers | {"Content-Encoding": "gzip"}, packed)[:-1])
            assert (await wire.answer())[0] == expected
            wire.writer.write(packed[-1:])
            wire.writer.write(raw_post(site, site.headers(), json.dumps(site.request("ping")).encode()))
            assert (await wire.answer())[0] == 200
