"""Token exchange: the request, the cache, retries and failures."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from doit_mcp.auth.errors import UpstreamCredentialError
from doit_mcp.auth.principal import Principal
from doit_mcp.auth.token_exchange import (
    DEFAULT_TTL_SECONDS,
    EXPIRY_MARGIN_SECONDS,
    TokenExchange,
    make_client_assertion,
)

from .conftest import SECRET
from .minting import NOW
from .provider import Answering, Clock, Provider, flood, hang, reset_connection, respond

ADMIN = Principal("admin@acme.example", "acme", False, "jwt", "canary-of-the-admins-token", NOW + 3600)


async def no_pause(seconds: float) -> None:
    """Retry without a pause."""


@pytest.fixture
async def exchange(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock, timeout_seconds: float
) -> AsyncIterator[TokenExchange]:
    """An exchange whose assertions have numbered ids."""
    numbers = count()
    token_exchange = TokenExchange(
        provider.url,
        SECRET,
        http,
        clock,
        make_jwt_id=lambda: f"id-{next(numbers)}",
        sleep=no_pause,
        deadline=timeout_seconds,
    )
    yield token_exchange
    await token_exchange.close()


async def failure(exchange: TokenExchange, principal: Principal = ADMIN) -> UpstreamCredentialError:
    with pytest.raises(UpstreamCredentialError) as caught:
        await exchange.get_token(principal)
    assert principal.token not in str(caught.value) and SECRET not in str(caught.value)
    return caught.value


@pytest.mark.requirement("X2")
async def test_x2_request_matches_the_token_exchange_contract(exchange: TokenExchange, provider: Provider) -> None:
    assert await exchange.get_token(ADMIN) == "upstream-1"
    form = dict(provider.exchanges[0])
    proof = form.pop("client_assertion")
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": ADMIN.token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "cmp",
        "client_id": "mcp.doit.com",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert "application/x-www-form-urlencoded" in provider.heads[0] and "Authorization" not in provider.heads[0]
    assert jwt.get_unverified_header(proof)["alg"] == "HS256"
    endpoint = f"{provider.url}/api/auth/token"
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(proof, SECRET, algorithms=["HS256"], audience=endpoint, options=options)
    assert claims == {
        "iss": "mcp.doit.com",
        "sub": "mcp.doit.com",
        "aud": endpoint,
        "iat": NOW,
        "exp": NOW + 60,
        "jti": "id-0",
    }


@pytest.mark.parametrize("secret", ["s", "-----BEGIN PUBLIC KEY-----", '{"kty": "oct"}', "é" * 40])
def test_any_secret_signs_an_assertion_without_a_warning(secret: str) -> None:
    """Warnings are errors here: PyJWT's would quote the length of the secret."""
    signed, _, signature = make_client_assertion(secret, "https://id.example/token", NOW, "id").rpartition(".")
    mac = hmac.digest(secret.encode(), signed.encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == mac


@pytest.mark.requirement("X2")
async def test_x2_every_assertion_is_new(exchange: TokenExchange, provider: Provider) -> None:
    provider.exchange_answer = respond(503)
    await failure(exchange)
    proofs = [form["client_assertion"] for form in provider.exchanges]
    assert len(proofs) == len(set(proofs)) == 2


@pytest.mark.requirement("X2")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_x2_redirects_are_not_followed(
    exchange: TokenExchange, provider: Provider, canary: tuple[str, list[str]], status: int
) -> None:
    url, requests = canary
    provider.exchange_answer = respond(status, Location=f"{url}/api/auth/token")
    assert (await failure(exchange)).kind == "unavailable"
    assert requests == [] and len(provider.exchanges) == 1


@pytest.mark.requirement("X3")
async def test_x3_thirty_calls_share_one_exchange(exchange: TokenExchange, provider: Provider) -> None:
    assert {await exchange.get_token(ADMIN) for _ in range(30)} == {"upstream-1"}
    assert len(provider.exchanges) == 1


@pytest.mark.requirement("X3")
async def test_x3_fifty_concurrent_calls_share_one_exchange(exchange: TokenExchange, provider: Provider) -> None:
    assert set(await asyncio.gather(*(exchange.get_token(ADMIN) for _ in range(50)))) == {"upstream-1"}
    assert len(provider.exchanges) == 1


@pytest.mark.requirement("X3")
async def test_x3_cache_is_keyed_by_token_only(exchange: TokenExchange, provider: Provider) -> None:
    refreshed = replace(ADMIN, token="canary-of-a-refreshed-token")
    first, second = await exchange.get_token(ADMIN), await exchange.get_token(refreshed)
    assert first != second
    assert [form["subject_token"] for form in provider.exchanges] == [ADMIN.token, refreshed.token]


@pytest.mark.requirement("X3")
async def test_x3_token_is_cached_until_its_safety_margin(
    exchange: TokenExchange, provider: Provider, clock: Clock
) -> None:
    provider.upstream["expires_in"] = 100
    assert await exchange.get_token(ADMIN) == "upstream-1"
    clock.advance(100 - EXPIRY_MARGIN_SECONDS - 1)
    assert await exchange.get_token(ADMIN) == "upstream-1"
    clock.advance(1)
    assert await exchange.get_token(ADMIN) == "upstream-2"


@pytest.mark.requirement("X3")
async def test_x3_exchanged_token_never_outlives_the_callers_token(
    exchange: TokenExchange, provider: Provider, clock: Clock
) -> None:
    brief = replace(ADMIN, expires=NOW + 50)
    assert await exchange.get_token(brief) == "upstream-1"
    clock.advance(49)
    assert await exchange.get_token(brief) == "upstream-1"
    clock.advance(1)
    assert (await failure(exchange, brief)).kind == "refused"
    assert len(provider.exchanges) == 1


async def test_token_in_its_last_seconds_is_still_exchanged(exchange: TokenExchange, provider: Provider) -> None:
    dying = replace(ADMIN, expires=NOW + 5)
    assert await exchange.get_token(dying) == "upstream-1"
    provider.exchange_answer = respond(400, '{"error": "invalid_grant"}')
    assert (await failure(exchange, replace(dying, token="canary-of-another"))).kind == "refused"


@pytest.mark.requirement("X3")
@pytest.mark.parametrize(
    ("expires_in", "serves"),
    [
        (None, DEFAULT_TTL_SECONDS),
        ("3600", DEFAULT_TTL_SECONDS),
        (True, DEFAULT_TTL_SECONDS),
        ([], DEFAULT_TTL_SECONDS),
        ({}, DEFAULT_TTL_SECONDS),
        (1e18, DEFAULT_TTL_SECONDS),
        (10**30, DEFAULT_TTL_SECONDS),
        (86_401, DEFAULT_TTL_SECONDS),
        (0, 0),
        (-1, 0),
        (-1e300, 0),
        (30, 0),
        (30.5, 0.5),
        (60, 30),
        (3599.5, 3569.5),
    ],
    ids=repr,
)
async def test_x3_implausible_lifetimes_are_capped(
    exchange: TokenExchange, provider: Provider, clock: Clock, expires_in: Any, serves: float
) -> None:
    body = {"access_token": "upstream", "token_type": "Bearer", "expires_in": expires_in}
    fields = {name: value for name, value in body.items() if value is not None}
    provider.exchange_answer = respond(200, json.dumps(fields))
    assert await exchange.get_token(ADMIN) == "upstream"
    clock.advance(max(0.0, serves - 0.25))
    assert await exchange.get_token(ADMIN) == "upstream"
    assert len(provider.exchanges) == (1 if serves else 2)
    clock.advance(0.5)
    assert await exchange.get_token(ADMIN) == "upstream"
    assert len(provider.exchanges) == (2 if serves else 3)


@pytest.mark.requirement("X3")
async def test_x3_cache_is_bounded(provider: Provider, http: aiohttp.ClientSession, clock: Clock) -> None:
    small = TokenExchange(provider.url, SECRET, http, clock, max_cached=3)
    for number in range(6):
        await small.get_token(replace(ADMIN, token=f"canary-{number}"))
    assert await small.get_token(replace(ADMIN, token="canary-5")) == "upstream-6"
    assert await small.get_token(replace(ADMIN, token="canary-0")) == "upstream-7"


@pytest.mark.requirement("X4")
async def test_x4_rejected_token_is_exchanged_again_once_for_all_callers(
    exchange: TokenExchange, provider: Provider
) -> None:
    first = await exchange.get_token(ADMIN)
    renewed = await asyncio.gather(*(exchange.get_token(ADMIN, fresh=True, refused_token=first) for _ in range(20)))
    assert set(renewed) == {"upstream-2"}
    assert await exchange.get_token(ADMIN, fresh=True, refused_token=first) == "upstream-2"
    assert await exchange.get_token(ADMIN, fresh=True) == "upstream-3"
    assert len(provider.exchanges) == 3


REFUSALS = ["invalid_grant", "invalid_request", "invalid_token", "access_denied"]
OURS = ["invalid_client", "unauthorized_client", "invalid_target", "temporarily_unavailable", "<b>else</b>", 1]


@pytest.mark.requirement("X5")
@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("status", [400, 401, 403])
async def test_x5_ended_sign_in_is_rejected(
    exchange: TokenExchange, provider: Provider, code: str, status: int
) -> None:
    provider.exchange_answer = respond(status, json.dumps({"error": code, "error_description": "canary-of-the-body"}))
    error = await failure(exchange)
    assert error.kind == "refused" and "Sign in again" in str(error) and "canary" not in str(error)
    assert len(provider.exchanges) == 1


@pytest.mark.requirement("X5")
@pytest.mark.parametrize("code", OURS)
async def test_x5_configuration_errors_do_not_ask_the_user_to_sign_in(
    exchange: TokenExchange, provider: Provider, code: Any
) -> None:
    provider.exchange_answer = respond(401, json.dumps({"error": code}))
    assert (await failure(exchange)).kind == "unavailable"


@pytest.mark.requirement("X5")
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("-1", None), ("soon", None), ("9" * 30, None), ("", None)]
)
async def test_x5_retry_after_is_passed_on(
    exchange: TokenExchange, provider: Provider, header: str, seconds: float | None
) -> None:
    provider.exchange_answer = respond(429, Retry_After=header)
    error = await failure(exchange)
    assert (error.kind, error.retry_after) == ("unavailable", seconds)


def exchange_response(token: Any, **more: Any) -> Answering:
    return respond(200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600, **more}))


FAULTS: list[Callable[[asyncio.Event], Answering]] = [
    lambda until: respond(500, "canary-of-the-body"),
    lambda until: respond(503, "<html>canary-of-the-body</html>"),
    lambda until: respond(403, "<html>canary-of-the-body</html>"),
    lambda until: respond(404, "canary-of-the-body"),
    lambda until: respond(200, "<html>canary-of-the-body</html>"),
    lambda until: respond(200, ""),
    lambda until: respond(200, "[]"),
    lambda until: respond(200, "{}"),
    lambda until: respond(200, "[" * 50_000),
    lambda until: respond(201, '{"access_token": "t", "token_type": "Bearer"}'),
    lambda until: respond(200, "no gzip", Content_Encoding="gzip"),
    lambda until: exchange_response(None),
    lambda until: exchange_response(""),
    lambda until: exchange_response(1),
    lambda until: exchange_response(["t"]),
    lambda until: exchange_response("a\r\nX-Evil: canary-of-the-body"),
    lambda until: exchange_response("a b"),
    lambda until: exchange_response("é"),
    lambda until: exchange_response("x\x00"),
    lambda until: exchange_response("x" * 20_000),
    lambda until: exchange_response("x" * 1_000_000),
    lambda until: exchange_response("t", token_type="DPoP"),
    lambda until: exchange_response("t", token_type=None),
    lambda until: exchange_response(ADMIN.token),  # the access token itself
    lambda until: reset_connection,
    lambda until: flood,
    lambda until: hang(until),
]


TIMEOUTS = [(fault, 10.0) for fault in FAULTS[:-1]] + [(FAULTS[-1], 1.0)]


@pytest.mark.requirement("X5")
@pytest.mark.parametrize(("fault", "timeout_seconds"), TIMEOUTS, ids=range(len(FAULTS)))
async def test_x5_every_failure_is_clean_and_recovers_with_the_provider(
    fault: Callable[[asyncio.Event], Answering],
    exchange: TokenExchange,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    until = asyncio.Event()
    provider.exchange_answer = fault(until)
    with caplog.at_level(logging.DEBUG):
        error = await failure(exchange)
    assert error.kind == "unavailable"
    assert 1 <= len(provider.exchanges) <= 2
    for canary in ("canary", SECRET, provider.exchanges[0]["client_assertion"]):
        assert canary not in f"{error} {caplog.text}"
    provider.exchange_answer = None
    assert (await exchange.get_token(ADMIN)).startswith("upstream-")
    until.set()


@pytest.mark.requirement("X5")
async def test_x5_one_broken_connection_is_retried(exchange: TokenExchange, provider: Provider) -> None:
    async def first_time(request: web.Request) -> web.StreamResponse:
        provider.exchange_answer = None
        return await reset_connection(request)

    provider.exchange_answer = first_time
    assert await exchange.get_token(ADMIN) == "upstream-2"


@pytest.mark.requirement("X5")
async def test_x5_one_hanging_exchange_does_not_delay_others(exchange: TokenExchange, provider: Provider) -> None:
    until = asyncio.Event()

    async def hang_for_admin(request: web.Request) -> web.StreamResponse:
        if (await request.post())["subject_token"] == ADMIN.token:
            await until.wait()
        return web.json_response({"access_token": "upstream", "token_type": "Bearer", "expires_in": 3600})

    provider.exchange_answer = hang_for_admin
    hanging = asyncio.create_task(exchange.get_token(ADMIN))
    while not provider.exchanges:
        await asyncio.sleep(0)
    others = (replace(ADMIN, token=f"canary-{number}") for number in range(50))
    assert set(await asyncio.gather(*(exchange.get_token(other) for other in others))) == {"upstream"}
    assert not hanging.done()
    until.set()
    assert await hanging == "upstream"


@pytest.mark.requirement("X5")
async def test_x5_full_exchange_queue_is_unavailable_for_a_second(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock
) -> None:
    until = asyncio.Event()
    provider.exchange_answer = hang(until)
    small = TokenExchange(provider.url, SECRET, http, clock, max_concurrent=1)
    waiting = asyncio.create_task(small.get_token(ADMIN))
    while not provider.exchanges:
        await asyncio.sleep(0)
    error = await failure(small, replace(ADMIN, token="canary-of-another"))
    assert (error.kind, error.retry_after) == ("unavailable", 1)
    await small.close()
    await asyncio.gather(waiting, return_exceptions=True)
    until.set()


@pytest.mark.requirement("X6")
@pytest.mark.parametrize("secret", ["x", "short", "-----BEGIN PUBLIC KEY-----"])
async def test_x6_secret_length_is_not_logged(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A library's warning about a short key would be an error here."""
    with caplog.at_level(logging.DEBUG):
        assert await TokenExchange(provider.url, secret, http, clock).get_token(ADMIN) == "upstream-1"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
