"""Rate limits of several replicas: the contract of the in-memory limiter, with buckets that all replicas share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.redis_state.rate_limiter import RedisRateLimiter
from doit_mcp.redis_state.write_queue import WriteQueue
from doit_mcp.resilience.limits import LimitExceeded
from doit_mcp.resilience.token_bucket import Rate, RateLimiter, TokenBuckets
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, wait_for_redis
from tests.redis_state.test_write_queue import running
from tests.resilience.limiters import shared_wait, wait

BURST = 4.0
# Slow enough that no token comes back during a test, and fast enough to wait for one.
SLOW, FAST = 0.001, 50.0
Take = Callable[..., Awaitable[float]]


def limiter(
    link: RedisConnection, per_owner: Rate, total: Rate | None = None, queue: WriteQueue | None = None
) -> RedisRateLimiter:
    """A limiter of one replica."""
    queue = WriteQueue(link) if queue is None else queue
    box = Encryptor(SECRET, "rates")
    return RedisRateLimiter(link, box, queue, "rate", "slow down", per_owner=per_owner, total=total)


@pytest.fixture(params=["memory", "redis"])
def take(request: pytest.FixtureRequest) -> Take:
    """Take tokens and return the seconds to wait."""
    if request.param == "redis":
        link = request.getfixturevalue("link")
        shared = {rate: limiter(link, Rate(BURST, rate)) for rate in (SLOW, FAST)}
        return lambda owner, tokens=1, rate=SLOW: shared_wait(shared[rate], owner, tokens)
    local = {rate: RateLimiter("slow down", TokenBuckets(BURST, rate)) for rate in (SLOW, FAST)}

    async def in_memory(owner: str, tokens: int = 1, rate: float = SLOW) -> float:
        return wait(local[rate], owner, tokens)

    return in_memory


async def test_tokens_run_out(take: Take) -> None:
    assert [await take("a"), await take("a", 3), await take("b")] == [0, 0, 0]
    for _ in range(3):
        assert 900 < await take("a") <= 1000
    assert await take("b", 3) == 0


async def test_tokens_refill(take: Take) -> None:
    assert await take("a", 4, rate=FAST) == 0
    while await take("a", 4, rate=FAST):
        await asyncio.sleep(0.005)


async def test_cost_above_capacity_leaves_a_debt(take: Take) -> None:
    assert await take("a", 10) == 0
    assert 6000 < await take("a") <= 7000


async def test_replicas_share_buckets(link: RedisConnection, redis: Server) -> None:
    a, b = WriteQueue(link), WriteQueue(link)
    near, far = (limiter(link, Rate(2, SLOW), Rate(5, SLOW), queue) for queue in (a, b))
    assert [await shared_wait(limiter_of_replica, "192.0.2.1") for limiter_of_replica in (near, far)] == [0, 0]
    for limiter_of_replica in (near, far):
        with pytest.raises(LimitExceeded, match="slow down") as refused:
            await limiter_of_replica.acquire("192.0.2.1")
        assert refused.value.scope == "owner" and refused.value.retry_after > 0
    # A refusal by the owner's limit counts nowhere; requests without an owner count in the total.
    assert [await shared_wait(far, "192.0.2.2"), await shared_wait(far, "")] == [0, 0]
    assert [await shared_wait(near, ""), await shared_wait(near, "192.0.2.3") > 0] == [0, True]
    async with running(a):
        near.release("192.0.2.1")
        await a.flush()
    assert await shared_wait(far, "192.0.2.1") == 0 and await shared_wait(far, "") > 0
    with redis.client() as client:
        keys = client.keys()
        assert len(keys) == 3 and all(client.pttl(key) > 0 for key in keys)
        assert not [key for key in keys if b"192" in key]


async def test_everything_is_admitted_while_redis_is_unavailable(link: RedisConnection, redis: Server) -> None:
    queue = WriteQueue(link)
    attempts = limiter(link, Rate(1, SLOW), Rate(1, SLOW), queue)
    assert await shared_wait(attempts, "192.0.2.1") == 0
    redis.pause()
    assert [await shared_wait(attempts, "192.0.2.1") for _ in range(20)] == [0] * 20
    while not link.unavailable:
        await asyncio.sleep(0.005)
    attempts.release("192.0.2.1")
    assert len(queue) == 0
    redis.resume()
    await wait_for_redis(link)
    assert await shared_wait(attempts, "192.0.2.1") > 0


async def test_tokens_returned_to_an_expired_bucket_leave_nothing(link: RedisConnection, redis: Server) -> None:
    queue = WriteQueue(link)
    async with running(queue):
        limiter(link, Rate(BURST, SLOW), queue=queue).release("a")
        await queue.flush()
    with redis.client() as client:
        assert client.keys() == []
