"""A scripted DoiT API on loopback that records the requests it receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.api.client import Client
from doit_mcp.api.http import Upstream, open_session

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request as received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Api:
    """The API: each request runs the next step of *script*; the last step repeats."""

    base: str = ""
    script: list[Handler] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closes the connection before its response is complete."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.raw_path, dict(request.headers), await request.read()))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        try:
            return await step(request)
        except asyncio.CancelledError:
            self.gone.set()
            raise


def respond(status: int = 200, body: Any = None, **headers: str) -> Handler:
    """Respond with a status and JSON, or with raw bytes."""

    async def step(request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return web.Response(status=status, body=body, headers=named)
        return web.json_response(body, status=status, headers=named)

    return step


async def reset_connection(request: web.Request) -> web.Response:
    """Reset the connection before any response."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def truncate_body(request: web.Request) -> web.StreamResponse:
    """Reset the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"a": ')
    assert request.transport is not None
    request.transport.abort()
    return response


async def hang(request: web.Request) -> web.StreamResponse:
    """Send one byte, then nothing."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"{")
    await asyncio.Event().wait()
    return response


def stream_chunks(*chunks: bytes, end: Handler | None = None) -> Handler:
    """Respond with an event stream in these chunks."""

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if end is hang:
            await asyncio.Event().wait()
        if end is reset_connection:
            assert request.transport is not None
            request.transport.abort()
        return response

    return step


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A running API whose base URL has a path."""
    api = Api(script=[respond(200, {})])
    runner = web.ServerRunner(web.Server(api, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.base = f"http://{host}:{port}/base"
    yield api
    await runner.cleanup()


@pytest.fixture
async def connect(api: Api) -> AsyncIterator[Callable[..., Client]]:
    """Return a factory of clients of the API; ``tokens`` are the token and the one after a refresh."""
    async with open_session() as http:

        def make(
            tenant: str = "", *, tokens: tuple[Any, ...] = ("token", "fresh"), base: str = "", **settings: Any
        ) -> Client:
            limits = ("timeout", "slow_timeout", "max_body", "breaker")
            upstream = {name: settings.pop(name) for name in limits if name in settings}

            async def credential(*, fresh: bool = False) -> str:
                token = tokens[1 if fresh else 0]
                if isinstance(token, Exception):
                    raise token
                return str(token)

            settings = {"first_wait": 0.0, **settings}
            return Client(Upstream(http, base or api.base, **upstream), credential, tenant, **settings)

        yield make
