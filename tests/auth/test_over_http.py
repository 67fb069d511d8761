"""Credentials over real HTTP, through the authentication middleware."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.auth.authenticator import Authenticator
from doit_mcp.auth.errors import AuthError
from doit_mcp.auth.www_authenticate import resource_metadata, resource_metadata_path
from doit_mcp.settings import Settings
from doit_mcp.transports.http import access, app_keys

from .conftest import Mint
from .minting import BASE, ISSUER, Signer
from .provider import Clock, Provider, respond, serve_app

PATHS = ["/mcp", "/sse", "/sse/message", "/mcp/readonly", "/mcp/x/core,budgets"]
METHODS = ["GET", "POST", "DELETE", "PUT"]


class AuthenticatedServer:
    """A server that returns the caller at every MCP path. Its configured URL is BASE, wherever it listens."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.url = ""
        self.bodies_read = 0

    def app(self, authenticator: Authenticator) -> web.Application:
        app = web.Application()
        app[app_keys.AUTHENTICATOR] = authenticator
        app[app_keys.SETTINGS] = settings = Settings(resource_url=BASE)
        app[app_keys.BASE_URL_BY_HOST] = settings.base_url_by_host
        for path in PATHS:
            app.router.add_route("*", path, self.enter)
            app.router.add_get(resource_metadata_path(path), self.document)
        return app

    async def enter(self, request: web.Request) -> web.StreamResponse:
        try:
            principal = await access.authenticate(request, request.app[app_keys.AUTHENTICATOR])
        except AuthError as error:
            return access.auth_error_response(request, error)
        self.bodies_read += len(await request.read())
        return web.json_response([principal.subject, principal.customer])

    async def document(self, request: web.Request) -> web.Response:
        return web.json_response(
            resource_metadata(BASE, request.path[len(resource_metadata_path("")) :], ISSUER, offline_access=True)
        )

    async def ask(self, path: str, *, method: str = "POST", **options: Any) -> tuple[int, str, Any]:
        """Return status, WWW-Authenticate, and the JSON body."""
        async with self.http.request(method, self.url + path, allow_redirects=False, **options) as answer:
            return answer.status, answer.headers.get("WWW-Authenticate", ""), await answer.json(content_type=None)


@pytest.fixture
async def server(authenticator: Authenticator, http: aiohttp.ClientSession) -> AsyncIterator[AuthenticatedServer]:
    server = AuthenticatedServer(http)
    async with serve_app(server.app(authenticator)) as url:
        server.url = url
        yield server


def bearer_headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.requirement("T9", "T12", "M42", "M46", "M80")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
async def test_t12_every_request_is_authenticated(
    server: AuthenticatedServer, provider: Provider, mint: Mint, clock: Clock, path: str, method: str
) -> None:
    good = mint(exp=int(clock.now) + 60)
    for headers in (
        {},
        bearer_headers(Signer().token(iss=provider.url)),
        bearer_headers(mint(exp=1)),
        bearer_headers("wrong"),
    ):
        assert (await server.ask(path, method=method, headers=headers))[0] == 401
    for _ in range(2):
        assert (await server.ask(path, method=method, headers=bearer_headers(good)))[0] == 200
    clock.advance(61)
    assert (await server.ask(path, method=method, headers=bearer_headers(good)))[0] == 401


@pytest.mark.requirement("H2", "M42")
async def test_h2_tokens_elsewhere_in_the_request_are_not_credentials(server: AuthenticatedServer, mint: Mint) -> None:
    token = mint()
    places: list[dict[str, Any]] = [
        {"params": {"access_token": token}},
        {"params": {"token": token, "Authorization": f"Bearer {token}"}},
        {"headers": {"Cookie": f"access_token={token}; Authorization=Bearer {token}"}},
        {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
        {"headers": {"X-Authorization": f"Bearer {token}"}},
        {"headers": {"X-Api-Key": token}},
        {"data": {"access_token": token}},
        {"json": {"access_token": token}},
    ]
    for place in places:
        assert (await server.ask("/mcp", **place))[0] == 401


@pytest.mark.requirement("H3")
async def test_h3_two_headers_over_http_are_rejected(server: AuthenticatedServer, mint: Mint) -> None:
    first, second = (("Authorization", f"Bearer {mint(jti=name)}") for name in "ab")
    for pair in ((first, second), (first, first)):
        status, challenge, _ = await server.ask("/mcp", headers=pair)
        assert status == 400 and 'error="invalid_request"' in challenge


@pytest.mark.requirement("H4")
async def test_h4_headers_that_claim_a_user_have_no_effect(server: AuthenticatedServer, mint: Mint) -> None:
    claims = dict.fromkeys(
        ("X-User", "X-User-Email", "X-Forwarded-User", "X-Customer-Context", "X-Tenant-Id", "X-Remote-User", "From"),
        "someone-else",
    )
    assert (await server.ask("/mcp", headers=claims))[0] == 401
    status, _, identity = await server.ask("/mcp", headers={**claims, **bearer_headers(mint())})
    assert (status, identity) == (200, ["admin@acme.example", "acme"])


@pytest.mark.requirement("H5")
async def test_h5_rejection_comes_before_the_body_is_read(server: AuthenticatedServer, mint: Mint) -> None:
    token = mint(exp=1)

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with server.http.post(f"{server.url}/mcp", data=endless(), headers=bearer_headers(token)) as answer:
        text = await answer.text()
        assert answer.status == 401 and answer.content_type == "application/json"
    assert server.bodies_read == 0
    assert token not in text and token.split(".")[1] not in text


@pytest.mark.requirement("H6")
@pytest.mark.parametrize("path", PATHS)
async def test_h6_challenge_links_to_the_metadata_of_the_path(server: AuthenticatedServer, path: str) -> None:
    status, challenge, body = await server.ask(path)
    match = re.search(r'resource_metadata="([^"]+)"', challenge)
    assert status == 401 and match is not None and body["error"] == "invalid_token"
    assert (
        challenge.startswith("Bearer ")
        and 'error="invalid_token"' in challenge
        and 'scope="mcp:tools offline_access"' in challenge
    )
    assert match[1].startswith(BASE + "/.well-known/")
    status, _, document = await server.ask(match[1].removeprefix(BASE), method="GET")
    # The message endpoint belongs to the resource of the stream, for which the client got its token.
    assert (status, document["resource"]) == (200, BASE + path.removesuffix("/message"))


@pytest.mark.requirement("T11")
async def test_t11_missing_scope_is_reported(server: AuthenticatedServer, mint: Mint) -> None:
    status, challenge, _ = await server.ask("/mcp", headers=bearer_headers(mint(scope="mcp:resources")))
    assert status == 403
    assert 'error="insufficient_scope"' in challenge and 'scope="mcp:tools offline_access"' in challenge


@pytest.mark.requirement("K4")
async def test_k4_outage_sends_no_challenge(server: AuthenticatedServer, provider: Provider, mint: Mint) -> None:
    provider.jwks_answer = respond(503)
    async with server.http.get(f"{server.url}/mcp", headers=bearer_headers(mint())) as answer:
        assert answer.status == 503 and answer.headers["Retry-After"].isdigit()
        assert "WWW-Authenticate" not in answer.headers


@pytest.mark.requirement("H8")
async def test_h8_hostile_headers_have_no_effect(server: AuthenticatedServer) -> None:
    hostile = {
        "Forwarded": "host=evil.example;proto=http",
        "X-Forwarded-Host": "evil.example",
        "Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "X-Original-URL": "/evil",
        "X-Forwarded-Prefix": "/evil",
    }
    plain = await server.ask("/mcp")
    assert await server.ask("/mcp", headers=hostile) == plain
    assert "evil" not in str(plain)


@pytest.mark.requirement("H9")
async def test_h9_oversized_token_is_a_client_error(server: AuthenticatedServer, provider: Provider) -> None:
    for size in (8_192, 8_193, 100_000):
        async with server.http.get(f"{server.url}/mcp", headers=bearer_headers("x" * size)) as answer:
            assert answer.status == 401
            assert "xxxx" not in await answer.text()
    assert [len(token) for token, _ in provider.validations] == [8_192]
