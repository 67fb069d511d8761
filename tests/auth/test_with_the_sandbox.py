"""Authentication with the sandbox's identity provider, which checks assertions, rotates keys and has outages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from doit_mcp.auth.authentication import Authentication, open_authentication
from doit_mcp.auth.errors import AuthError, UpstreamCredentialError
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.server import SandboxServer, run_sandbox
from tests.sandbox.conftest import NoApi

from .conftest import SECRET
from .minting import BASE
from .provider import Clock

ADMIN, EMPLOYEE = USERS[0], USERS[3]


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[SandboxServer]:
    """The sandbox's identity provider, with a minimal API."""
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, api=NoApi()) as server:
        yield server


@pytest.fixture
async def auth(sandbox: SandboxServer, http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Authentication]:
    """Authentication that trusts the sandbox."""
    async with open_authentication(
        resource_urls=[BASE],
        auth_server_url=sandbox.url,
        doit_api_base=sandbox.url,
        secret=SECRET,
        http=http,
        clock=clock,
    ) as opened:
        yield opened


async def whoami(sandbox: SandboxServer, http: aiohttp.ClientSession, token: str) -> tuple[int, object]:
    async with http.get(f"{sandbox.url}/whoami", headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", ["", "/mcp", "/sse", "/mcp/readonly", "/mcp/x/core,budgets"])
async def test_access_token_acts_as_its_user_at_the_api(
    sandbox: SandboxServer, auth: Authentication, http: aiohttp.ClientSession, path: str
) -> None:
    token = sandbox.identity.mint(ADMIN, resource=BASE + path)
    caller = await auth.authenticator.authenticate([f"Bearer {token}"])
    assert (caller.subject, caller.customer, caller.employee) == (ADMIN.email, ADMIN.customer, False)
    upstream = await auth.credential(caller)()
    assert await whoami(sandbox, http, upstream) == (200, {"email": ADMIN.email, "customer": ADMIN.customer})
    assert (await whoami(sandbox, http, token))[0] == 401


async def test_employees_are_recognized(sandbox: SandboxServer, auth: Authentication) -> None:
    caller = await auth.authenticator.authenticate([f"Bearer {sandbox.identity.mint(EMPLOYEE)}"])
    assert caller.employee


async def test_key_rotation(sandbox: SandboxServer, auth: Authentication) -> None:
    old = f"Bearer {sandbox.identity.mint(ADMIN)}"
    await auth.authenticator.authenticate([old])
    sandbox.identity.signing.rotate()
    await auth.authenticator.authenticate([f"Bearer {sandbox.identity.mint(ADMIN)}"])
    assert auth.authenticator.cached_principal(old) is None
    with pytest.raises(AuthError):
        await auth.authenticator.authenticate([old])


async def test_provider_outage_fails_calls_but_not_authentication(sandbox: SandboxServer, auth: Authentication) -> None:
    caller = await auth.authenticator.authenticate([f"Bearer {sandbox.identity.mint(ADMIN)}"])
    sandbox.identity.down = True
    assert await auth.authenticator.authenticate([f"Bearer {sandbox.identity.mint(ADMIN)}"])
    with pytest.raises(UpstreamCredentialError) as caught:
        await auth.credential(caller)()
    assert caught.value.kind == "unavailable"
    sandbox.identity.down = False
    assert await auth.credential(caller)()


async def test_unknown_sign_in_is_rejected(sandbox: SandboxServer, auth: Authentication) -> None:
    unknown_token = sandbox.identity.mint(ADMIN, sub="nobody@acme.example")
    caller = await auth.authenticator.authenticate([f"Bearer {unknown_token}"])
    with pytest.raises(UpstreamCredentialError) as caught:
        await auth.credential(caller)()
    assert caught.value.kind == "refused"


async def test_wrong_secret_is_not_a_user_error(
    sandbox: SandboxServer, http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with open_authentication(
        resource_urls=[BASE],
        auth_server_url=sandbox.url,
        doit_api_base=sandbox.url,
        secret="wrong",
        http=http,
        clock=clock,
    ) as auth:
        caller = await auth.authenticator.authenticate([f"Bearer {sandbox.identity.mint(ADMIN)}"])
        with pytest.raises(UpstreamCredentialError) as caught:
            await auth.credential(caller)()
    assert caught.value.kind == "unavailable"
