"""Fully buffered responses are the same as the responses that aiohttp makes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.transports.http.serving import Site, serving
from tests.transports.http.streaming import Wire, raw_connection, raw_post

PAGE = "https://page.example"
CROSS_ORIGIN = {"Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(allowed_origins=(PAGE,)) as site:
        yield site


def ping(site: Site, **headers: str) -> bytes:
    return raw_post(site, site.headers(**headers), json.dumps(site.request("ping")).encode())


async def answer(wire: Wire) -> tuple[str, dict[str, str], bytes]:
    """Return status line, headers and body."""
    head = (await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), 20)).decode()
    status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    return status, headers, await wire.reader.readexactly(int(headers["Content-Length"]))


async def test_buffered_and_aiohttp_responses_agree(site: Site) -> None:
    """A request with an Origin is sent by aiohttp; apart from the CORS headers both responses are equal."""
    async with raw_connection(site) as wire:
        wire.writer.write(ping(site, X_MCP_Trace_Id="one") + ping(site, X_MCP_Trace_Id="one", Origin=PAGE))
        short, long = await answer(wire), await answer(wire)
        assert short[0] == long[0] == "HTTP/1.1 200 OK"
        assert long[1].keys() - short[1].keys() == CROSS_ORIGIN and short[1].keys() <= long[1].keys()
        same = short[1].keys() - {"Date", "Content-Length"}
        assert {name: short[1][name] for name in same} == {name: long[1][name] for name in same}
        assert [json.loads(body)["result"] for _, _, body in (short, long)] == [{}, {}]
        assert short[1]["Date"].endswith(" GMT") and len(short[1]["Date"]) == len(long[1]["Date"])
        # The connection can be used again.
        wire.writer.write(ping(site))
        assert (await answer(wire))[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_connection_close_is_honored(site: Site, version: str) -> None:
    async with raw_connection(site) as wire:
        close = {"Connection": "close"} if version == "1.1" else {}
        wire.writer.write(ping(site, **close).replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1))
        status, headers, body = await answer(wire)
        assert status == f"HTTP/{version} 200 OK" and json.loads(body)["result"] == {}
        assert headers.get("Connection") == close.get("Connection")
        assert await wire.rest() == b""


async def test_rejections_and_long_responses_are_buffered(site: Site) -> None:
    async with raw_connection(site) as wire:
        wire.writer.write(raw_post(site, site.headers(), b"{"))
        status, _, body = await answer(wire)
        assert status == "HTTP/1.1 400 Bad Request" and json.loads(body)["error"]["code"] == -32700
        # Twice in the response, so that it is sent in several pieces.
        call = site.request("tools/call", {"name": "echo", "arguments": {"text": "é" * 18_000}})
        wire.writer.write(raw_post(site, site.headers(), json.dumps(call).encode()))
        status, _, body = await answer(wire)
        assert status == "HTTP/1.1 200 OK" and "é" * 18_000 in json.loads(body)["result"]["content"][0]["text"]
