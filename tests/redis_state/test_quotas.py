"""Quotas of several replicas: one limit for all, whatever message is lost or delayed and whichever replica dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from doit_mcp.redis_state import quotas as module
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.redis_state.quotas import RedisQuota
from doit_mcp.resilience.limits import LimitExceeded
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, wait_for_redis

LIMIT = 3


class Holder:
    """A live replica, and what it holds."""

    def __init__(self, link: RedisConnection, redis: Server, name: str) -> None:
        self.link, self.redis, self.name = link, redis, name
        self.held: Counter[str] = Counter()
        box = Encryptor(SECRET, "places in use")
        count = self.held.__getitem__
        self.quota = RedisQuota(link, box, "places", name, limit=LIMIT, count_local=count, message="full")
        self.live()

    def live(self) -> None:
        with self.redis.client() as client:
            client.set(self.link.key("replica", self.name), "1")

    def die(self) -> None:
        with self.redis.client() as client:
            client.delete(self.link.key("replica", self.name))

    async def take(self, owner: str = "ann") -> bool:
        try:
            await self.quota.acquire(owner)
        except LimitExceeded as exceeded:
            assert (exceeded.scope, exceeded.retry_after, str(exceeded)) == ("owner", 2, "full")
            return False
        self.held[owner] += 1
        return True

    def give_back(self, owner: str = "ann") -> None:
        self.held[owner] -= 1
        self.quota.release(owner)

    async def wait_for_counts(self, *numbers: int, owner: str = "ann") -> None:
        """Wait until Redis has these counts, in any order."""
        while sorted(self.counts(owner)) != sorted(numbers):
            await asyncio.sleep(0.005)

    def counts(self, owner: str = "ann") -> list[int]:
        with self.redis.client() as client:
            return [int(count.split()[1]) for count in client.hvals(self.quota._key(owner))]


@pytest.fixture
async def pair(link: RedisConnection, redis: Server) -> AsyncIterator[tuple[Holder, Holder]]:
    holders = Holder(link, redis, "a"), Holder(link, redis, "b")
    yield holders
    for holder in holders:
        await holder.quota.close()


Pair = tuple[Holder, Holder]


async def test_one_limit_for_all_replicas(pair: Pair) -> None:
    a, b = pair
    assert [await a.take(), await b.take(), await a.take(), await b.take(), await a.take()] == [True] * 3 + [False] * 2
    assert await b.take("bea")
    a.give_back()
    await a.wait_for_counts(1, 1)
    assert await b.take() and not await a.take()


async def test_concurrent_acquisitions(pair: Pair) -> None:
    """Requests to Redis in progress count, too: never more than the limit, and in the end never fewer."""
    a, b = pair
    taken_slots = await asyncio.gather(*(holder.take() for holder in (a, b) * 10))
    assert sum(taken_slots) <= LIMIT and a.held["ann"] + b.held["ann"] == sum(taken_slots)
    while a.held["ann"] + b.held["ann"] < LIMIT:
        await a.take()
    assert not await b.take()


async def test_unused_slots_are_returned(pair: Pair) -> None:
    a, b = pair
    for _ in range(LIMIT):
        await a.quota.acquire("ann")
    await a.wait_for_counts(0)
    assert [await b.take() for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]


async def test_canceled_acquisition_leaves_nothing(pair: Pair, redis: Server) -> None:
    a, b = pair
    redis.pause()
    asking = asyncio.create_task(a.take())
    await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    redis.resume()
    await a.wait_for_counts(0)
    assert [await b.take() for _ in range(LIMIT)] == [True] * LIMIT


async def test_older_message_changes_nothing(pair: Pair, link: RedisConnection) -> None:
    """A report was delayed, and its sender has released the slot long ago."""
    a, b = pair
    assert await a.take()
    a.give_back()
    await a.wait_for_counts(0)
    late = ("a", 1, 3, LIMIT, link.key("replica", ""), 60_000)
    await link.run_script(module.RESERVE_SCRIPT, [a.quota._key("ann")], *late)
    await link.run_script(module.REPORT_SCRIPT, [a.quota._key("ann")], "a", 60_000, 1, 3)
    assert a.counts() == [0]
    assert [await b.take() for _ in range(LIMIT)] == [True] * LIMIT


async def test_slots_of_dead_replicas_are_freed(pair: Pair) -> None:
    a, b = pair
    assert [await a.take() for _ in range(LIMIT)] == [True] * LIMIT and not await b.take()
    a.die()
    assert await b.take() and b.counts() == [1]
    # The replica was only slow, so what it reports from now on counts.
    a.live()
    await a.quota.renew_all()
    await a.wait_for_counts(LIMIT, 1)
    assert not await b.take()


@pytest.mark.parametrize("how", ["pause", "kill"])
async def test_each_replica_has_the_full_limit_without_redis(
    pair: Pair, link: RedisConnection, redis: Server, how: str
) -> None:
    a, b = pair
    assert await a.take("bea") and await b.take("bea")
    (redis.pause if how == "pause" else redis.kill)()
    for holder in pair:
        assert [await holder.take() for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]
    a.give_back("bea")
    (redis.resume if how == "pause" else redis.start)()
    await wait_for_redis(link)
    for holder in pair:
        holder.live()
        await holder.quota.renew_all()
    await a.wait_for_counts(LIMIT, LIMIT)
    await a.wait_for_counts(0, 1, owner="bea")
    a.give_back()
    await a.wait_for_counts(LIMIT, LIMIT - 1)
    assert not await a.take()


async def test_long_outage_collects_no_names(pair: Pair, redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING_OWNERS", 3)
    a, _ = pair
    redis.kill()
    for number in range(10):
        assert await a.take(str(number))
    assert list(a.quota._pending) == ["7", "8", "9"]


@pytest.mark.requirement("G5")
async def test_names_are_unreadable_and_expire(pair: Pair, redis: Server) -> None:
    a, _ = pair
    owners = [f"ann-{number}@acme.example" for number in range(250)]
    for owner in owners:
        a.held[owner] = 1
        a.quota.release(owner)
    await a.wait_for_counts(1, owner=owners[-1])
    with redis.client() as client:
        keys = client.keys("*-in-use:*")
        assert len(keys) == len(owners) and all(0 < client.pttl(key) <= 60_000 for key in keys)
        assert not [key for key in client.keys() if b"ann" in key or b"acme" in key]
    for owner in owners:
        a.held[owner] = 0
        a.quota.release(owner)
    await a.wait_for_counts(0, owner=owners[-1])
    while a.quota._reported:
        await asyncio.sleep(0.005)
    assert not a.quota._pending and not a.quota._requested


async def test_nothing_is_reported_after_close(pair: Pair) -> None:
    a, _ = pair
    assert await a.take()
    await a.quota.close()
    a.give_back()
    assert a.quota._report_task is None or a.quota._report_task.done()
