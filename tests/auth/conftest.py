"""Fixtures of the authentication tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.auth.access_tokens import AccessTokenRules
from doit_mcp.auth.api_tokens import ApiTokenVerifier
from doit_mcp.auth.authentication import Authentication, open_authentication
from doit_mcp.auth.authenticator import Authenticator
from doit_mcp.auth.jwks import JwksCache

from .minting import BASE, Signer
from .provider import Clock, Provider, running_provider, serve_app

SECRET = "canary-of-the-secret-with-enough-bytes"


@pytest.fixture(scope="session")
def signer() -> Signer:
    """A key of the issuer."""
    return Signer()


@pytest.fixture
def clock() -> Clock:
    """A clock that the test controls."""
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as the server opens it: no cookies, no connection limit."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector) as session:
        yield session


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[Provider]:
    """A fake identity provider and DoiT API."""
    async with running_provider(clock) as server:
        yield server


@pytest.fixture
async def canary() -> AsyncIterator[tuple[str, list[str]]]:
    """A host that must receive no request: its URL, and the requests it received."""
    requests: list[str] = []

    async def see(request: web.Request) -> web.Response:
        requests.append(f"{request.method} {request.path_qs} {await request.text()}")
        return web.json_response({"keys": [], "access_token": "t", "domain": "acme.example", "email": "a@acme.example"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", see)
    async with serve_app(app) as url:
        yield url, requests


@pytest.fixture
async def auth(provider: Provider, http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Authentication]:
    """Authentication as the server opens it."""
    async with open_authentication(
        resource_urls=[BASE],
        auth_server_url=provider.url,
        doit_api_base=f"{provider.url}/api-base",
        secret=SECRET,
        http=http,
        clock=clock,
    ) as opened:
        yield opened


class Idle:
    """A sleep that lasts until the test ends it."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.over = asyncio.Event()
        self.begun = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.begun.set()
        await self.over.wait()
        self.over.clear()


@pytest.fixture
async def idle() -> Idle:
    """A sleep that the test controls."""
    return Idle()


@pytest.fixture
def timeout_seconds() -> float:
    """Time limit of upstream requests, in seconds. Tests with hanging upstreams make it short."""
    return 10.0


@pytest.fixture
async def keys(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock, idle: Idle, timeout_seconds: float
) -> AsyncIterator[JwksCache]:
    """The key cache alone, before its first fetch."""
    cache = JwksCache(provider.url, http, clock, sleep=idle, timeout=timeout_seconds)
    yield cache
    await cache.close()


@pytest.fixture
async def authenticator(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock, keys: JwksCache, timeout_seconds: float
) -> AsyncIterator[Authenticator]:
    """An authenticator with these keys, without background tasks."""
    api_tokens = ApiTokenVerifier(f"{provider.url}/api-base", http, clock, timeout=timeout_seconds)
    yield Authenticator(AccessTokenRules.from_urls(provider.url, BASE), keys, api_tokens, clock)
    await api_tokens.close()


Mint = Callable[..., str]


@pytest.fixture
def mint(provider: Provider, clock: Clock) -> Mint:
    """Return a function that makes valid tokens of this provider, with changed claims on request."""

    def token(**changes: Any) -> str:
        return provider.signer.token(now=clock.now, **{"iss": provider.url, **changes})

    return token
