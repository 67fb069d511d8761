"""A fake identity provider and DoiT API that count requests and can answer with hostile responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .minting import NOW, Signer

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Clock:
    """A clock that moves only when the test advances it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Provider:
    """The provider's keys, tokens and users, the requests it received, and the responses that replace its own."""

    clock: Clock
    signer: Signer = field(default_factory=Signer)
    keys: list[Any] = field(default_factory=list)
    upstream: dict[str, Any] = field(default_factory=lambda: {"token_type": "Bearer", "expires_in": 3600})
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    employees: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        self.keys = [self.signer.jwk()]
        self.jwks_asked = 0
        self.exchanges: list[dict[str, str]] = []
        self.validations: list[tuple[str, str]] = []
        self.heads: list[str] = []
        self.jwks_answer: Answering | None = None
        self.exchange_answer: Answering | None = None
        self.validate_answer: Answering | None = None

    @property
    def sent(self) -> str:
        """Everything that was sent to the DoiT API."""
        return " ".join(f"{token} {query}" for token, query in self.validations)

    async def jwks(self, request: web.Request) -> web.StreamResponse:
        self.jwks_asked += 1
        if self.jwks_answer is not None:
            return await self.jwks_answer(request)
        return web.json_response({"keys": self.keys})

    async def exchange(self, request: web.Request) -> web.StreamResponse:
        self.exchanges.append({name: str(value) for name, value in (await request.post()).items()})
        self.heads.append(str(request.headers))
        number = len(self.exchanges)
        if self.exchange_answer is not None:
            return await self.exchange_answer(request)
        return web.json_response({"access_token": f"upstream-{number}", **self.upstream})

    async def validate(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.validations.append((token, request.query_string))
        if self.validate_answer is not None:
            return await self.validate_answer(request)
        if token in self.users:
            return web.json_response(self.users[token])
        if token in self.employees:
            if request.query.get("customerContext") != "doit.com":
                return web.json_response({"error": "forbidden"}, status=403)
            return web.json_response({"domain": "doit.com", "email": self.employees[token]})
        return web.json_response({"error": "unauthorized"}, status=401)


def respond(status: int, text: str = "", **headers: str) -> Answering:
    """Return a handler with a fixed response."""

    async def answer(request: web.Request) -> web.StreamResponse:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=fields)

    return answer


async def reset_connection(request: web.Request) -> web.StreamResponse:
    """Break the connection."""
    assert request.transport is not None
    request.transport.abort()
    raise web.HTTPInternalServerError


async def flood(request: web.Request) -> web.StreamResponse:
    """Send an endless response, until the reader disconnects."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


def hang(until: asyncio.Event) -> Answering:
    """Send no response before *until*."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await until.wait()
        return web.json_response({"keys": []}, status=500)

    return answer


@asynccontextmanager
async def serve_app(app: web.Application) -> AsyncIterator[str]:
    """Serves the application on a loopback port and yields its URL. Long headers are accepted, because aiohttp's own
    refusal would quote them."""
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True, max_field_size=1 << 18
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running_provider(clock: Clock) -> AsyncIterator[Provider]:
    """A running provider. The base URL of its API has a path, ``/api-base``."""
    provider = Provider(clock)
    app = web.Application()
    app.router.add_get("/.well-known/jwks.json", provider.jwks)
    app.router.add_post("/api/auth/token", provider.exchange)
    app.router.add_get("/api-base/auth/v1/validate", provider.validate)
    async with serve_app(app) as url:
        provider.url = url
        yield provider
