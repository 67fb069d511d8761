"""Clients of early revisions and SDKs sign in, and stay signed in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from urllib.parse import urlencode

import aiohttp

from tests.e2e.launch import Sandbox
from tests.e2e.sign_in import follow, parameters

REDIRECT = "http://127.0.0.1:33420/callback"
VERIFIER = "v" * 64
ACCEPT = "application/json, text/event-stream"
POLL_SECONDS = 0.2


async def registered(http: aiohttp.ClientSession, server: dict[str, str]) -> str:
    """Register as a public client and return its id."""
    metadata = {"client_name": "Old", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    async with http.post(server["registration_endpoint"], json=metadata) as answer:
        assert answer.status == 201, await answer.text()
        client: dict[str, str] = await answer.json()
    return client["client_id"]


async def signed_in(http: aiohttp.ClientSession, server: dict[str, str], client: str, **asked: str) -> dict[str, str]:
    """Return the tokens of a sign-in with the parameters *asked*."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    query = {"response_type": "code", "client_id": client, "redirect_uri": REDIRECT, "code_challenge": challenge}
    url = f"{server['authorization_endpoint']}?{urlencode(query | {'code_challenge_method': 'S256'} | asked)}"
    code = parameters(await follow(url, REDIRECT))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return await tokens(http, server, form | {"client_id": client})


async def tokens(http: aiohttp.ClientSession, server: dict[str, str], form: dict[str, str]) -> dict[str, str]:
    async with http.post(server["token_endpoint"], data=form) as answer:
        assert answer.status == 200, await answer.text()
        body: dict[str, str] = await answer.json()
    return body


async def initialize(http: aiohttp.ClientSession, url: str, token: str) -> aiohttp.ClientResponse:
    """Send initialize as a client of 2025-03-26."""
    params = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with http.post(url, json=message, headers={"Authorization": f"Bearer {token}", "Accept": ACCEPT}) as answer:
        await answer.read()
        return answer


async def test_client_of_2025_03_26_finds_the_provider_at_this_server(sandbox: Sandbox) -> None:
    """It knows neither protected resource metadata nor resource indicators."""
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{sandbox.base}/.well-known/oauth-authorization-server") as answer:
            server = await answer.json()
        client = await registered(http, server)
        token = (await signed_in(http, server, client))["access_token"]
        assert (await initialize(http, sandbox.mcp, token)).status == 200


async def test_client_that_requests_the_scope_of_the_challenge_can_refresh(sandbox_brief: Sandbox) -> None:
    """Until its login is revoked; then the refresh fails, and the server challenges it to sign in."""
    async with aiohttp.ClientSession() as http:
        challenge = (await initialize(http, sandbox_brief.mcp, "")).headers["WWW-Authenticate"]
        scope = challenge.partition('scope="')[2].partition('"')[0]
        async with http.get(f"{sandbox_brief.services}/.well-known/oauth-authorization-server") as answer:
            server = await answer.json()
        client = await registered(http, server)
        first = await signed_in(http, server, client, scope=scope, resource=sandbox_brief.mcp)
        while (await initialize(http, sandbox_brief.mcp, first["access_token"])).status != 401:
            await asyncio.sleep(POLL_SECONDS)
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": client}
        second = await tokens(http, server, form)
        # On a busy machine, the new token may end before it is used.
        while (await initialize(http, sandbox_brief.mcp, second["access_token"])).status != 200:
            second = await tokens(http, server, form | {"refresh_token": second["refresh_token"]})
        revoked = {"token": second["refresh_token"], "client_id": client}
        async with http.post(server["revocation_endpoint"], data=revoked) as answer:
            assert answer.status == 200
        async with http.post(
            server["token_endpoint"], data=form | {"refresh_token": second["refresh_token"]}
        ) as answer:
            assert answer.status == 400 and (await answer.json())["error"] == "invalid_grant"
