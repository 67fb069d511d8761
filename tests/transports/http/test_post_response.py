"""Responses to a POST that become streams because they take long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from doit_mcp.transports.http.event_stream import KEEPALIVE_COMMENT, format_event
from doit_mcp.transports.http.keepalive import Keepalive
from doit_mcp.transports.http.post_response import PostResponse
from doit_mcp.transports.http.request_body import parse_accept

WHO: ContextVar[str] = ContextVar("who", default="none")
EVENTS = {"Accept": "application/json, text/event-stream"}
Work = Callable[[PostResponse], Awaitable[None]]


class Posts:
    """A server whose only handler is defined by the test."""

    def __init__(self, work: Work) -> None:
        self.keepalive = Keepalive(0.01)
        self._work, self._count = work, 0
        self.http = ClientSession()
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self._count += 1
        WHO.set(f"request {self._count}")
        with PostResponse(request, parse_accept(request), self.keepalive) as response:
            response.open(None, (1,))
            await self._work(response)
            return await response.wait_for_response()


async def report_context(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Who"] = WHO.get()


@asynccontextmanager
async def posts(work: Work) -> AsyncIterator[Posts]:
    post_handler, app = Posts(work), web.Application()
    app.router.add_post("/", post_handler.serve)
    app.on_response_prepare.append(report_context)
    async with TestServer(app) as server, post_handler.http:
        post_handler.url = str(server.make_url("/"))
        yield post_handler


async def test_slow_responses_become_streams_in_their_request_context() -> None:
    """The timer of all streams writes the stream's headers, but in the context of the request."""
    proceed = asyncio.Event()

    async def wait(response: PostResponse) -> None:
        await proceed.wait()
        await response.finish(200, b"{}")

    async with posts(wait) as post_handler:
        first, second = [await post_handler.http.post(post_handler.url, headers=EVENTS) for _ in range(2)]
        assert [first.headers["X-Who"], second.headers["X-Who"]] == ["request 1", "request 2"]
        for response in (first, second):
            for _ in range(3):
                assert await response.content.readuntil(b"\n\n") == KEEPALIVE_COMMENT
        proceed.set()
        for response in (first, second):
            rest = await response.read()
            assert rest.replace(KEEPALIVE_COMMENT, b"") == format_event(b"{}")
        assert len(post_handler.keepalive) == 0


async def test_fast_responses_and_clients_without_streams_get_json() -> None:
    async def wait(response: PostResponse) -> None:
        if not response.may_stream:
            # Longer than several intervals.
            await asyncio.sleep(0.05)
        await response.finish(200, b"{}")

    async with posts(wait) as post_handler:
        for accepted in (EVENTS, {"Accept": "application/json"}):
            async with post_handler.http.post(post_handler.url, headers=accepted) as response:
                assert response.content_type == "application/json" and await response.read() == b"{}"
        assert len(post_handler.keepalive) == 0


async def test_failure_ends_the_keepalives() -> None:
    async def fail(response: PostResponse) -> None:
        raise web.HTTPConflict

    async with posts(fail) as post_handler, post_handler.http.post(post_handler.url, headers=EVENTS) as response:
        assert response.status == 409 and len(post_handler.keepalive) == 0
