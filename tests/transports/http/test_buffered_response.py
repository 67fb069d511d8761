"""JSON answers that go out in one piece, beside the same made by aiohttp; and when slow ones begin to beat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextvars import Context, ContextVar

import pytest

from doit_mcp.transports.http.first_event_delay import FirstEventDelay
from tests.transports.http.serving import Site, serving
from tests.transports.http.streaming import Wire, raw_post, wired

PAGE = "https://page.example"
CROSS_ORIGIN = {"Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
WHERE: ContextVar[str] = ContextVar("where", default="nowhere")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(allowed_origins=(PAGE,)) as site:
        yield site


def ping(site: Site, **headers: str) -> bytes:
    return raw_post(site, site.headers(**headers), json.dumps(site.request("ping")).encode())


async def answer(wire: Wire) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers and body."""
    head = (await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), 20)).decode()
    status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    return status, headers, await wire.reader.readexactly(int(headers["Content-Length"]))


async def test_both_ways_say_the_same(site: Site) -> None:
    """A web page's request takes the long way; but for what is said to pages the answers are alike."""
    async with wired(site) as wire:
        wire.writer.write(ping(site, X_MCP_Trace_Id="one") + ping(site, X_MCP_Trace_Id="one", Origin=PAGE))
        short, long = await answer(wire), await answer(wire)
        assert short[0] == long[0] == "HTTP/1.1 200 OK"
        assert long[1].keys() - short[1].keys() == CROSS_ORIGIN and short[1].keys() <= long[1].keys()
        same = short[1].keys() - {"Date", "Content-Length"}
        assert {name: short[1][name] for name in same} == {name: long[1][name] for name in same}
        assert [json.loads(body)["result"] for _, _, body in (short, long)] == [{}, {}]
        assert short[1]["Date"].endswith(" GMT") and len(short[1]["Date"]) == len(long[1]["Date"])
        # And the connection is there for more.
        wire.writer.write(ping(site))
        assert (await answer(wire))[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_client_that_wants_no_more_is_left(site: Site, version: str) -> None:
    async with wired(site) as wire:
        close = {"Connection": "close"} if version == "1.1" else {}
        wire.writer.write(ping(site, **close).replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1))
        status, headers, body = await answer(wire)
        assert status == f"HTTP/{version} 200 OK" and json.loads(body)["result"] == {}
        assert headers.get("Connection") == close.get("Connection")
        assert await wire.rest() == b""


async def test_refusals_and_long_answers_are_whole_as_well(site: Site) -> None:
    async with wired(site) as wire:
        wire.writer.write(raw_post(site, site.headers(), b"{"))
        status, _, body = await answer(wire)
        assert status == "HTTP/1.1 400 Bad Request" and json.loads(body)["error"]["code"] == -32700
        # Twice in the answer, so that it is sent in several pieces.
        call = site.request("tools/call", {"name": "echo", "arguments": {"text": "é" * 18_000}})
        wire.writer.write(raw_post(site, site.headers(), json.dumps(call).encode()))
        status, _, body = await answer(wire)
        assert status == "HTTP/1.1 200 OK" and "é" * 18_000 in json.loads(body)["result"]["content"][0]["text"]


class Answer:
    """Knows where it began to beat."""

    def __init__(self) -> None:
        self.began: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def start_keepalive(self, context: Context) -> None:
        self.began.set_result(context[WHERE])


async def test_the_slow_begin_to_beat_in_order_and_as_themselves() -> None:
    hearts, made = FirstEventDelay(0.02), []
    for name in ("first", "quick", "second"):
        WHERE.set(name)
        made.append(Answer())
        hearts.add(made[-1])
    hearts.remove(made[1])
    WHERE.set("later")
    assert await asyncio.wait_for(made[2].began, 20) == "second"
    assert made[0].began.result() == "first" and not made[1].began.done()
    # Whoever comes when nobody waits any more is waited for as well; who was removed twice or never came is no matter.
    hearts.remove(made[0])
    hearts.add(made[1])
    assert await asyncio.wait_for(made[1].began, 20) == "later"
