"""The identity provider's metadata is relayed: only that document, of that issuer, bounded, and rarely fetched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.auth.errors import AuthError
from doit_mcp.auth.provider_metadata import (
    LIFETIME_SECONDS,
    MAX_METADATA_BYTES,
    MAX_STALE_SECONDS,
    METADATA_PATH,
    RETRY_INTERVAL_SECONDS,
    ProviderMetadata,
    metadata_url,
)

from .provider import Answering, Clock, reset_connection, respond, serve_app


class Issuer:
    """Serves metadata and counts the requests."""

    def __init__(self) -> None:
        self.url, self.requests = "", 0
        self.answer: Answering | None = None

    @property
    def document(self) -> dict[str, Any]:
        return {"issuer": self.url, "token_endpoint": f"{self.url}/token", "registration_endpoint": f"{self.url}/new"}

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        return web.json_response(self.document) if self.answer is None else await self.answer(request)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer, app = Issuer(), web.Application()
    app.router.add_get(METADATA_PATH, issuer.get)
    async with serve_app(app) as url:
        issuer.url = url
        yield issuer


@pytest.fixture
async def metadata(issuer: Issuer, http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[ProviderMetadata]:
    cache = ProviderMetadata(issuer.url, http, clock)
    yield cache
    await cache.close()


async def status_of(metadata: ProviderMetadata) -> int:
    """Return 200, or the status of the error."""
    try:
        await metadata.get()
    except AuthError as error:
        return error.status
    return 200


def test_path_of_the_issuer_follows_the_well_known_path() -> None:
    assert metadata_url("https://a.example") == "https://a.example/.well-known/oauth-authorization-server"
    assert metadata_url("https://a.example/t/1") == "https://a.example/.well-known/oauth-authorization-server/t/1"
    assert metadata_url("https://a.example/t", "/.well-known/x") == "https://a.example/.well-known/x/t"


async def test_document_is_fetched_once_for_all_callers(
    issuer: Issuer, metadata: ProviderMetadata, clock: Clock
) -> None:
    documents = await asyncio.gather(*(metadata.get() for _ in range(50)))
    assert issuer.requests == 1 and {json.loads(document)["issuer"] for document in documents} == {issuer.url}
    clock.now += LIFETIME_SECONDS - 1
    await metadata.get()
    assert issuer.requests == 1
    clock.now += 1
    assert json.loads(await metadata.get()) == issuer.document and issuer.requests == 2


@pytest.mark.parametrize(
    "answer",
    [
        respond(500),
        respond(302, Location="/elsewhere"),
        respond(200, "<html>"),
        respond(200, "[]"),
        respond(200, json.dumps({"issuer": "https://another.example"})),
        respond(200, "{}" + " " * MAX_METADATA_BYTES),
        reset_connection,
    ],
)
async def test_unusable_document_is_not_relayed(
    issuer: Issuer, metadata: ProviderMetadata, clock: Clock, answer: Answering
) -> None:
    """Until a usable one was fetched. Failures do not make clients flood the provider."""
    issuer.answer = answer
    assert [await status_of(metadata) for _ in range(20)] == [503] * 20
    # aiohttp sends a GET again if the connection is lost before its response.
    assert issuer.requests == (2 if answer is reset_connection else 1)
    clock.now += RETRY_INTERVAL_SECONDS
    issuer.answer = None
    assert await status_of(metadata) == 200


async def test_document_stays_in_use_during_an_outage(issuer: Issuer, metadata: ProviderMetadata, clock: Clock) -> None:
    assert await status_of(metadata) == 200
    issuer.answer = respond(503)
    clock.now += MAX_STALE_SECONDS - 1
    assert await status_of(metadata) == 200 and issuer.requests == 2
    clock.now += 1
    assert await status_of(metadata) == 503


async def test_fetch_has_a_time_limit(issuer: Issuer, http: aiohttp.ClientSession, clock: Clock) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    issuer.answer = hang
    metadata = ProviderMetadata(issuer.url, http, clock, timeout=0.1)
    assert await status_of(metadata) == 503
    await metadata.close()
