"""Buckets: one contract, in memory and in Redis; replicas have theirs in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.redis_state.token_buckets import BucketRequest, RedisAttemptLimiter, RedisTokenBuckets
from doit_mcp.redis_state.write_queue import WriteQueue
from doit_mcp.resilience.token_bucket import TokenBuckets
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, back
from tests.redis_state.test_write_queue import running

BURST = 4.0
# So slow that nothing comes back during a test, and so quick that it is waited for.
SLOW, QUICK = 0.001, 50.0
Take = Callable[..., Awaitable[float]]


def shared(link: RedisConnection, sender: WriteQueue | None = None) -> RedisTokenBuckets:
    return RedisTokenBuckets(link, Encryptor(SECRET, "rates"), WriteQueue(link) if sender is None else sender, "rate")


@pytest.fixture(params=["memory", "redis"])
def take(request: pytest.FixtureRequest) -> Take:
    """Takes goes from a bucket; the seconds to wait."""
    if request.param == "redis":
        buckets = shared(request.getfixturevalue("link"))
        return lambda name, goes=1, rate=SLOW: buckets.take([BucketRequest(name, BURST, rate)], goes)
    made = {rate: TokenBuckets(BURST, rate) for rate in (SLOW, QUICK)}

    async def in_memory(name: str, goes: int = 1, rate: float = SLOW) -> float:
        now = time.monotonic()
        bucket = made[rate].bucket_for(name, now)
        wait = bucket.wait_seconds(now, goes)
        if not wait:
            bucket.take(goes)
        return wait

    return in_memory


async def test_goes_run_out(take: Take) -> None:
    assert [await take("a"), await take("a", 3), await take("b")] == [0, 0, 0]
    for _ in range(3):
        assert 900 < await take("a") <= 1000
    assert await take("b", 3) == 0


async def test_they_come_back(take: Take) -> None:
    assert await take("a", 4, rate=QUICK) == 0
    while await take("a", 4, rate=QUICK):
        await asyncio.sleep(0.005)


async def test_more_than_there_can_be_leave_a_debt(take: Take) -> None:
    assert await take("a", 10) == 0
    assert 6000 < await take("a") <= 7000


async def test_replicas_have_them_in_common(link: RedisConnection, redis: Server) -> None:
    a, b = WriteQueue(link), WriteQueue(link)
    here, there = (RedisAttemptLimiter(shared(link, one), total=(5, SLOW), by_address=(2, SLOW)) for one in (a, b))
    assert [await here.take("192.0.2.1"), await there.take("192.0.2.1")] == [0, 0]
    assert await here.take("192.0.2.1") > 0 and await there.take("192.0.2.1") > 0
    # What is refused for its address counts nowhere; one without an address counts in all.
    assert [await there.take("192.0.2.2"), await there.take(""), await here.take("")] == [0, 0, 0]
    assert await here.take("192.0.2.3") > 0
    async with running(a):
        here.give_back("192.0.2.1")
        await a.flush()
    assert await there.take("192.0.2.1") == 0 and await there.take("") > 0
    with redis.client() as client:
        keys = client.keys()
        assert len(keys) == 3 and all(client.pttl(key) > 0 for key in keys)
        assert not [key for key in keys if b"192" in key]


async def test_without_redis_nobody_waits(link: RedisConnection, redis: Server) -> None:
    sender = WriteQueue(link)
    tries = RedisAttemptLimiter(shared(link, sender), total=(1, SLOW), by_address=(1, SLOW))
    assert await tries.take("192.0.2.1") == 0
    redis.pause()
    assert [await tries.take("192.0.2.1") for _ in range(20)] == [0] * 20
    while not link.unavailable:
        await asyncio.sleep(0.005)
    tries.give_back("192.0.2.1")
    assert len(sender) == 0
    redis.resume()
    await back(link)
    assert await tries.take("192.0.2.1") > 0


async def test_a_bucket_that_is_given_back_after_its_end(link: RedisConnection, redis: Server) -> None:
    sender = WriteQueue(link)
    buckets = shared(link, sender)
    async with running(sender):
        buckets.give_back([BucketRequest("a", BURST, SLOW)])
        await sender.flush()
    with redis.client() as client:
        assert client.keys() == []
