"""Authentication as the server opens it: readiness, credentials, secrets in logs, and cookies."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from doit_mcp.auth.authentication import Authentication, open_authentication
from doit_mcp.auth.errors import AuthError, UpstreamCredentialError

from .conftest import SECRET, Mint
from .minting import BASE, Signer
from .provider import Clock, Provider, hang, respond


def open_auth(
    provider: Provider, http: aiohttp.ClientSession, *, secret: str = SECRET, clock: Callable[[], float] = time.time
) -> AbstractAsyncContextManager[Authentication]:
    """Authentication with this provider, opened by the test."""
    return open_authentication(
        resource_urls=[BASE],
        auth_server_url=provider.url,
        doit_api_base=provider.url,
        secret=secret,
        http=http,
        clock=clock,
    )


async def ready(auth: Authentication) -> None:
    while not auth.ready:
        await asyncio.sleep(0)


async def test_keys_are_fetched_at_startup(auth: Authentication, provider: Provider, mint: Mint) -> None:
    await ready(auth)
    await auth.authenticator.authenticate([f"Bearer {mint()}"])
    assert provider.jwks_asked == 1


async def test_startup_does_not_wait_for_the_first_fetch(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock
) -> None:
    until = asyncio.Event()
    provider.jwks_answer = hang(until)
    async with open_auth(provider, http, clock=clock) as auth:
        while not provider.jwks_asked:
            await asyncio.sleep(0)
        assert not auth.ready
        assert provider.jwks_asked == 1
    until.set()


@pytest.mark.parametrize("secret", ["", " ", "\n"])
async def test_rejects_an_empty_secret(provider: Provider, http: aiohttp.ClientSession, secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        async with open_auth(provider, http, secret=secret):
            raise AssertionError("opened")


@pytest.mark.requirement("X8")
async def test_x8_rejects_a_session_that_stores_cookies(provider: Provider) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ValueError, match="cookies"):
            async with open_auth(provider, http):
                raise AssertionError("opened")


@pytest.mark.requirement("X8")
async def test_x8_cookies_are_not_sent_back(auth: Authentication, provider: Provider, mint: Mint) -> None:
    provider.exchange_answer = respond(200, '{"access_token": "t"}', Set_Cookie="tenant=acme; Path=/")
    for number in range(2):
        caller = await auth.authenticator.authenticate([f"Bearer {mint(jti=str(number))}"])
        await auth.credential(caller)()
    assert len(provider.heads) == 2 and "Cookie" not in "".join(provider.heads)


@pytest.mark.requirement("X1")
async def test_x1_access_token_is_exchanged_for_another_credential(
    auth: Authentication, provider: Provider, mint: Mint
) -> None:
    caller = await auth.authenticator.authenticate([f"Bearer {mint()}"])
    give = auth.credential(caller)
    assert await give() == await give() == "upstream-1"
    assert provider.validations == []


@pytest.mark.requirement("X4")
async def test_x4_rejected_credential_is_exchanged_once_more(
    auth: Authentication, provider: Provider, mint: Mint
) -> None:
    caller = await auth.authenticator.authenticate([f"Bearer {mint()}"])
    first_credential, another, unasked = (auth.credential(caller) for _ in range(3))
    assert (await first_credential(), await another()) == ("upstream-1", "upstream-1")
    assert await first_credential(fresh=True) == "upstream-2"
    assert await another(fresh=True) == "upstream-2"  # already exchanged again
    assert await another(fresh=True) == "upstream-3"
    assert await unasked(fresh=True) == "upstream-4"
    assert len(provider.exchanges) == 4


@pytest.mark.requirement("X4", "P3")
async def test_x4_p3_api_token_rejected_by_the_api_is_forgotten(auth: Authentication, provider: Provider) -> None:
    provider.users["api-token"] = {"domain": "acme.example", "email": "a@acme.example"}
    caller = await auth.authenticator.authenticate(["Bearer api-token"])
    give = auth.credential(caller)
    assert await give() == "api-token"
    del provider.users["api-token"]
    with pytest.raises(UpstreamCredentialError) as caught:
        await give(fresh=True)
    assert caught.value.kind == "refused" and "api-token" not in str(caught.value)
    with pytest.raises(AuthError) as refused:
        await auth.authenticator.authenticate(["Bearer api-token"])
    assert refused.value.status == 401
    assert provider.exchanges == []


@pytest.mark.requirement("X6")
async def test_x6_canary_secrets_never_reach_logs_or_errors(
    auth: Authentication, provider: Provider, mint: Mint, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    errors: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for answer in (
            respond(500, "canary-body"),
            respond(400, '{"error": "canary-code"}'),
            respond(200, "canary-body"),
        ):
            provider.exchange_answer = provider.validate_answer = answer
            for token in (mint(), mint(scope=None), Signer().token(iss=provider.url), "canary-api-token"):
                try:
                    caller = await auth.authenticator.authenticate([f"Bearer {token}"])
                    await auth.credential(caller)()
                except (AuthError, UpstreamCredentialError) as error:
                    errors += [str(error), repr(error)]
                assert token[:40] not in caplog.text + "".join(errors)
    everything = caplog.text + "".join(errors)
    assert errors and caplog.records
    for form in provider.exchanges:
        assert form["client_assertion"] not in everything
    assert (
        "canary" not in everything
        and SECRET not in everything
        and not re.search(rf"\b(?<![:.]){len(SECRET)}\b", everything)
    )


async def test_closing_cancels_requests_in_progress(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock, mint: Mint
) -> None:
    until = asyncio.Event()
    provider.exchange_answer = hang(until)
    before = asyncio.all_tasks()
    async with open_auth(provider, http, clock=clock) as auth:
        caller = await auth.authenticator.authenticate([f"Bearer {mint()}"])
        waiting = asyncio.create_task(asyncio.wait_for(auth.credential(caller)(), None))
        while not provider.exchanges:
            await asyncio.sleep(0)
    await asyncio.gather(waiting, return_exceptions=True)
    ours = [task for task in asyncio.all_tasks() - before if "doit_mcp" in repr(task.get_coro())]
    assert ours == []
    until.set()


async def test_background_bugs_are_logged(
    provider: Provider, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = False

    def clock() -> float:
        if stopped:
            raise RuntimeError("no time")
        return 1.0

    async with open_auth(provider, http, clock=clock):
        stopped = True
        while "background refresh" not in caplog.text:
            await asyncio.sleep(0)
    assert "no time" in caplog.text
