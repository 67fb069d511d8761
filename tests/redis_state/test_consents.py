"""Used consents: the same contract in memory and in Redis, with several replicas, limits, and Redis unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.consents import RedisConsents
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.resilience.unavailable import StateUnavailable
from doit_mcp.server.consents import Consent, Consents, MemoryConsents
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server

Make = Callable[..., Consents]
BOUNDS: dict[str, Any] = {"lifetime_seconds": 60.0, "per_owner": 3}
LATER = Consent.new().asked_at + 1_000_000
"""A time in epoch milliseconds after the start of every store in these tests."""


def consent_of(asked: int) -> Consent:
    return Consent(LATER + asked, f"id {asked}")


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "redis":
        link = request.getfixturevalue("link")
        return lambda **bounds: RedisConsents(link, Encryptor(SECRET, "consents"), **{**BOUNDS, **bounds})
    return lambda **bounds: MemoryConsents(**{**BOUNDS, **bounds})


@pytest.mark.requirement("N14")
async def test_n14_consent_counts_once(make: Make) -> None:
    consents, consent = make(), consent_of(1)
    assert [await consents.use("o", *consent) for _ in range(3)] == [True, False, False]
    assert await consents.use("other", *consent)
    assert await consents.use("o", consent.asked_at, "another id of the same moment")


@pytest.mark.requirement("N14")
async def test_n14_concurrent_uses_count_once(make: Make) -> None:
    consents, consent = make(), consent_of(1)
    outcomes = await asyncio.gather(*(consents.use("o", *consent) for _ in range(20)))
    assert outcomes.count(True) == 1


@pytest.mark.requirement("N14")
async def test_n14_evicted_and_older_consents_stay_used(make: Make) -> None:
    """Consents that are dropped because of the limit can never be used again."""
    consents = make()
    for number in (5, 2, 3, 4):
        assert await consents.use("o", *consent_of(number))
    for number in (1, 2, 3, 4, 5):
        assert not await consents.use("o", *consent_of(number))
    assert not await consents.use("o", LATER + 2, "never used, but asked for as long ago")
    assert await consents.use("o", *consent_of(6)) and await consents.use("p", *consent_of(1))


@pytest.mark.requirement("N14")
async def test_n14_consents_older_than_the_memory_count_as_used(make: Make) -> None:
    """An earlier process, or a Redis that lost its data, may have recorded its use."""
    consents, before = make(), Consent(Consent.new().asked_at - 60_000, "before")
    assert not await consents.use("o", *before) and await consents.use("o", *consent_of(1))
    assert not await consents.use("o", *before)


@pytest.mark.requirement("N14")
async def test_n14_redis_that_lost_its_data_rejects_older_consents(link: RedisConnection, redis: Server) -> None:
    consents = RedisConsents(link, Encryptor(SECRET, "consents"), **BOUNDS)
    await consents.record_start()
    (marker,) = await link.execute("KEYS", "*")
    assert await link.execute("PTTL", marker) == -1
    since = int(await link.execute("GET", marker))
    await consents.record_start()
    assert int(await link.execute("GET", marker)) == since
    used, unused = Consent(since + 1, "used"), Consent(since + 2, "not used")
    assert await consents.use("o", *used)
    while int((await link.execute("TIME"))[0]) * 1000 <= since + 1000:
        await asyncio.sleep(0.05)
    await link.execute("FLUSHALL")
    for consent in (used, unused):
        assert not await consents.use("o", *consent)
    assert await consents.use("o", *consent_of(1))


@pytest.mark.requirement("N14")
async def test_n14_consents_are_shared_by_replicas(link: RedisConnection) -> None:
    first, second = (RedisConsents(link, Encryptor(SECRET, "consents"), **BOUNDS) for _ in range(2))
    assert await first.use("o", *consent_of(1)) and not await second.use("o", *consent_of(1))


@pytest.mark.requirement("N14")
async def test_n14_redis_keeps_a_bounded_number_with_expiry(link: RedisConnection) -> None:
    consents = RedisConsents(link, Encryptor(SECRET, "consents"), lifetime_seconds=60, per_owner=3)
    for number in range(20):
        assert await consents.use("owner of these", *consent_of(number))
    keys = await link.execute("KEYS", "*")
    # The marker stays.
    assert len(keys) == 3 and not any(b"owner of these" in key for key in keys)
    for key in keys:
        if key.endswith(b":consents-since"):
            continue
        assert 0 < await link.execute("PTTL", key) <= 60_000
        if await link.execute("TYPE", key) == b"zset":
            assert await link.execute("ZCARD", key) == 3


@pytest.mark.requirement("N14")
async def test_n14_uncheckable_consent_does_not_count(link: RedisConnection, redis: Server) -> None:
    consents = RedisConsents(link, Encryptor(SECRET, "consents"), **BOUNDS)
    redis.pause()
    with pytest.raises(StateUnavailable):
        await consents.use("o", *consent_of(1))
    redis.resume()


@pytest.mark.requirement("N14")
async def test_n14_full_redis_counts_as_unavailable(link: RedisConnection) -> None:
    consents = RedisConsents(link, Encryptor(SECRET, "consents"), **BOUNDS)
    assert await consents.use("o", *consent_of(1))
    try:
        await link.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await link.execute("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StateUnavailable):
            await consents.use("o", *consent_of(2))
    finally:
        await link.execute("CONFIG", "SET", "maxmemory", "0")
    assert not await consents.use("o", *consent_of(1))


@pytest.mark.requirement("N14")
async def test_n14_memory_is_bounded_in_total_and_over_time() -> None:
    now = 0.0
    consents = MemoryConsents(lambda: now, lifetime_seconds=10, per_owner=3, total=5, since=-1)
    for number in range(100):
        assert await consents.use(f"owner {number % 7}", number, str(number))
    assert len(consents) <= 5
    for number in range(95):
        assert not await consents.use(f"owner {number % 7}", number, str(number))
    now = 10.0
    assert await consents.use("o", 1_000, "new") and len(consents) == 1
