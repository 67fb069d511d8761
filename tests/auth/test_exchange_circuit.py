"""The circuit breaker of the token exchange: only failures of the provider open it, and its recovery closes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from doit_mcp.auth.errors import UpstreamCredentialError
from doit_mcp.auth.principal import Principal
from doit_mcp.auth.token_exchange import TokenExchange
from doit_mcp.resilience.circuit_breaker import MIN_OPEN_SECONDS, CircuitBreaker
from doit_mcp.resilience.outcome_counts import MIN_OUTCOMES
from tests.descriptor_shortage import no_descriptors

from .conftest import SECRET
from .minting import NOW
from .provider import Answering, Clock, Provider, hang, reset_connection, respond


async def no_pause(seconds: float) -> None:
    """Retry without a pause."""


def user(number: int, token: int = 0) -> Principal:
    return Principal(f"user{number}@acme.example", "acme", False, "jwt", f"token-{number}-{token}", NOW + 3600)


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("identity", single_operation=True, clock=clock, random_fraction=lambda: 0.5)


@pytest.fixture
async def exchange(
    provider: Provider, http: aiohttp.ClientSession, clock: Clock, timeout_seconds: float, breaker: CircuitBreaker
) -> AsyncIterator[TokenExchange]:
    token_exchange = TokenExchange(
        provider.url, SECRET, http, clock, sleep=no_pause, deadline=timeout_seconds, breaker=breaker
    )
    yield token_exchange
    await token_exchange.close()


async def failure(exchange: TokenExchange, principal: Principal) -> UpstreamCredentialError:
    with pytest.raises(UpstreamCredentialError) as caught:
        await exchange.get_token(principal)
    return caught.value


@pytest.mark.parametrize("answer", [respond(500), respond(503, "<html>"), reset_connection])
async def test_provider_failures_open_the_circuit_and_recovery_closes_it(
    exchange: TokenExchange, provider: Provider, clock: Clock, breaker: CircuitBreaker, answer: Answering
) -> None:
    token = await exchange.get_token(user(0))
    provider.exchange_answer = answer
    for number in range(1, MIN_OUTCOMES // 2 + 2):
        await failure(exchange, user(number))
    exchange_count = len(provider.exchanges)
    assert breaker.state == "open" and exchange_count == MIN_OUTCOMES
    refused = await failure(exchange, user(99))
    assert (refused.kind, refused.retry_after, len(provider.exchanges)) == (
        "unavailable",
        MIN_OPEN_SECONDS,
        exchange_count,
    )
    assert await exchange.get_token(user(0)) == token
    provider.exchange_answer = None
    clock.advance(MIN_OPEN_SECONDS)
    assert await exchange.get_token(user(99)) and breaker.state == "closed"


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("timeout_seconds", [0.1])
async def test_n24_file_descriptor_exhaustion_is_not_a_provider_failure(
    exchange: TokenExchange, provider: Provider, breaker: CircuitBreaker
) -> None:
    with no_descriptors():
        for number in range(MIN_OUTCOMES):
            assert (await failure(exchange, user(number))).kind == "unavailable"
    assert breaker.state == "closed" and not provider.exchanges
    assert await exchange.get_token(user(0)) and breaker.state == "closed"


async def test_timeouts_count_as_failures(exchange: TokenExchange, provider: Provider, breaker: CircuitBreaker) -> None:
    until = asyncio.Event()
    provider.exchange_answer = hang(until)
    outcomes = await asyncio.gather(*(failure(exchange, user(number)) for number in range(MIN_OUTCOMES)))
    until.set()
    assert {error.kind for error in outcomes} == {"unavailable"} and breaker.state == "open"


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_caller_errors_do_not_count(
    exchange: TokenExchange, provider: Provider, breaker: CircuitBreaker, status: int
) -> None:
    provider.exchange_answer = respond(status, '{"error": "invalid_grant"}')
    for number in range(2 * MIN_OUTCOMES):
        await failure(exchange, user(number))
    assert breaker.state == "closed"


async def test_failures_of_one_user_do_not_count(
    exchange: TokenExchange, provider: Provider, breaker: CircuitBreaker
) -> None:
    assert await exchange.get_token(user(2))
    provider.exchange_answer = respond(500)
    for token in range(2 * MIN_OUTCOMES):
        await failure(exchange, user(1, token))
    provider.exchange_answer = None
    assert breaker.state == "closed" and await exchange.get_token(user(3))
