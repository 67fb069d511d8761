"""The identity provider is killed and returns with new keys: new sign-ins work, former tokens are invalid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from doit_mcp.sandbox.server import SandboxServer, run_sandbox
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.settings import Settings
from doit_mcp.transports.http.app import build_app
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.transports.http.serving import SECRET, Bench, Json, NoApi, Session, Site, offer


@asynccontextmanager
async def provider(resource: str, port: int = 0) -> AsyncIterator[SandboxServer]:
    async with run_sandbox(resource_url=resource, secret=SECRET, api=NoApi(), port=port) as sandbox:
        yield sandbox


@pytest.mark.requirement("K3")
async def test_provider_restarts_with_new_keys() -> None:
    """Requests succeed during the outage; the new key works with its first token, which ends the old one."""
    bench, hub = Bench(), NotificationHub()
    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        former = provider(base)
        first = await former.__aenter__()
        url: str = first.url
        options: Json = {"resource_url": base, "exchange_secret": SECRET, "drain_s": 0}
        settings = replace(Settings(), auth_server_url=url, doit_api_base=url, **options)
        offered = offer(bench)
        async with (
            aiohttp.ClientSession() as http,
            serve_app(build_app(settings, lambda *given: offered, hub=hub), bound),
        ):
            before = Site(base, first, http, bench, hub)
            old = {"Authorization": f"Bearer {before.token()}"}
            session = await before.initialize()
            await former.__aexit__(None, None, None)
            assert (await session.ask("ping")).result == {}
            assert (await before.call("echo", {"text": "away"}, headers=old)).status == 200
            async with provider(base, int(url.rpartition(":")[2])) as second:
                assert second.url == url
                after = Site(base, second, http, bench, hub)
                assert (await before.call("echo", headers=old)).status == 200, "no request has used a new token yet"
                load = [after.call("echo", {"text": str(number)}) for number in range(20)]
                assert {answer.status for answer in await asyncio.gather(*load)} == {200}
                assert (await before.send("POST", "/mcp", old)).status == 401
                # The session still belongs to its owner, whichever key signed the token.
                again = Session(after, session.id, session.revision, session.user, {})
                assert (await again.ask("ping")).result == {}
