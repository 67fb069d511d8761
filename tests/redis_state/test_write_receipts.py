"""Write receipts: the same contract in memory and in Redis, with several replicas, a dead one, and Redis
unavailable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore, Receipt, ReceiptStore
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor, key_prefix
from doit_mcp.redis_state.write_receipts import RedisReceiptStore
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, wait_for_redis

Make = Callable[..., ReceiptStore]
BOUNDS: dict[str, Any] = {"ttl": 60.0, "per_owner": 100, "max_answer_bytes": 100}


class Unprotected(Exception):
    """A write that is refused because its receipt could not be stored."""


@pytest.fixture
async def of_redis(link: RedisConnection) -> AsyncIterator[Callable[..., RedisReceiptStore]]:
    """Makes receipt stores, each for another replica."""
    stores: list[RedisReceiptStore] = []

    def make(**bounds: Any) -> RedisReceiptStore:
        box = Encryptor(SECRET, "receipts")
        memories = MemoryReceiptStore(), MemoryReceiptStore()
        stores.append(RedisReceiptStore(link, box, *memories, Unprotected, **{**BOUNDS, **bounds}))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "redis":
        of_redis: Make = request.getfixturevalue("of_redis")
        return of_redis
    return lambda **bounds: MemoryReceiptStore(**{**BOUNDS, **bounds})


async def complete(receipts: ReceiptStore, key: str, owner: str = "o", answer: bytes = b"a", groups: Any = ()) -> None:
    assert await receipts.claim(owner, key) is None
    await receipts.settle(owner, key, answer, groups=groups)


def recorded_outcome(receipt: Receipt | None) -> tuple[bytes, bool]:
    assert receipt is not None and 0 <= receipt.age_seconds < 30
    return receipt.answer, receipt.done


async def test_repeated_write_is_reported(make: Make) -> None:
    receipts = make()
    await complete(receipts, "k")
    assert recorded_outcome(await receipts.claim("o", "k")) == (b"a", True)
    assert await receipts.claim("p", "k") is None and await receipts.claim("o", "l") is None


async def test_receipt_expires(make: Make) -> None:
    receipts = make(ttl=0.05)
    await complete(receipts, "k")
    while await receipts.claim("o", "k") is not None:
        await asyncio.sleep(0.005)


async def test_receipt_can_last_longer_than_others(make: Make) -> None:
    receipts = make(ttl=0.02)
    for key, lifetime in (("long", 60), ("short", None)):
        assert await receipts.claim("o", key) is None
        await receipts.settle("o", key, b"a", lifetime_seconds=lifetime)
    while await receipts.claim("o", "short") is not None:
        await asyncio.sleep(0.005)
    assert recorded_outcome(await receipts.claim("o", "long")) == (b"a", True)


async def test_write_that_was_not_applied_may_be_repeated(make: Make) -> None:
    receipts = make()
    assert await receipts.claim("o", "k") is None
    await receipts.settle("o", "k", None)
    assert await receipts.claim("o", "k") is None


async def test_unknown_outcome_is_reported(make: Make) -> None:
    receipts = make()
    await receipts.claim("o", "k")
    await receipts.settle("o", "k", b"", known=False)
    assert recorded_outcome(await receipts.claim("o", "k")) == (b"", False)


async def test_large_result_is_recorded_only_as_done(make: Make) -> None:
    receipts = make(max_answer_bytes=3)
    await complete(receipts, "k", answer=b"four")
    assert recorded_outcome(await receipts.claim("o", "k")) == (b"", True)


async def test_concurrent_duplicate_waits(make: Make) -> None:
    receipts = make()
    assert await receipts.claim("o", "k") is None
    waiting = [asyncio.create_task(receipts.claim("o", "k")) for _ in range(3)]
    await receipts.claim("o", "other")
    assert not any(task.done() for task in waiting)
    await receipts.settle("o", "k", b"answer")
    assert [recorded_outcome(await task) for task in waiting] == [(b"answer", True)] * 3


async def test_one_waiter_repeats_a_write_that_was_not_applied(make: Make) -> None:
    receipts = make()
    assert await receipts.claim("o", "k") is None
    waiting = [asyncio.create_task(receipts.claim("o", "k")) for _ in range(3)]
    await receipts.settle("o", "k", None)
    first, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in first] == [None]
    await receipts.settle("o", "k", b"b")
    results = [await task for task in waiting]
    assert sorted(recorded_outcome(receipt)[0] for receipt in results if receipt is not None) == [b"b", b"b"]


async def test_owners_oldest_receipts_are_evicted(make: Make) -> None:
    receipts = make(per_owner=2)
    await complete(receipts, "other", owner="p")
    assert await receipts.claim("o", "running") is None
    for key in ("1", "2"):
        await complete(receipts, key)
    assert recorded_outcome(await receipts.claim("o", "2")) == (b"a", True) and await receipts.claim("o", "1") is None
    assert recorded_outcome(await receipts.claim("p", "other")) == (b"a", True)


async def test_receipt_is_forgotten_by_key_unless_in_progress(make: Make) -> None:
    receipts = make()
    await receipts.forget("o", "1")
    for key in ("1", "10"):
        await complete(receipts, key)
    await complete(receipts, "1", owner="p")
    assert await receipts.claim("o", "3") is None
    for key in ("1", "3"):
        await receipts.forget("o", key)
    assert await receipts.claim("o", "1") is None
    assert recorded_outcome(await receipts.claim("o", "10")) and recorded_outcome(await receipts.claim("p", "1"))
    await receipts.settle("o", "3", b"3")
    assert recorded_outcome(await receipts.claim("o", "3")) == (b"3", True)


@pytest.mark.requirement("N16")
async def test_n16_groups_are_forgotten_for_all_except_unknown_outcomes(make: Make) -> None:
    receipts = make()
    for owner in ("o", "p"):
        await complete(receipts, "in a", owner=owner, groups=["a"])
        await complete(receipts, "in both", owner=owner, groups=["b", "a"])
        await complete(receipts, "in b", owner=owner, groups=["b"])
        await complete(receipts, "in none", owner=owner)
    for key in ("running", "unknown"):
        assert await receipts.claim("o", key) is None
    await receipts.settle("o", "unknown", b"", known=False, groups=["a"])
    await receipts.forget_groups([])
    await receipts.forget_groups(["other", "a"])
    for owner in ("o", "p"):
        for key in ("in b", "in none"):
            assert recorded_outcome(await receipts.claim(owner, key)) == (b"a", True)
        for key in ("in a", "in both"):
            assert await receipts.claim(owner, key) is None
            await receipts.settle(owner, key, None)
    assert recorded_outcome(await receipts.claim("o", "unknown")) == (b"", False)
    await receipts.settle("o", "running", b"2", groups=["a"])
    assert recorded_outcome(await receipts.claim("o", "running")) == (b"2", True)
    await receipts.forget_groups(["b"])
    assert await receipts.claim("o", "in b") is None


@pytest.mark.requirement("N16")
async def test_n16_another_replica_forgets_as_well(of_redis: Any) -> None:
    store, other = of_redis(), of_redis()
    await complete(store, "k", groups=["a"])
    await other.forget_groups(["a"])
    assert await store.claim("o", "k") is None
    await store.settle("o", "k", b"again")
    await other.forget("o", "k")
    assert await store.claim("o", "k") is None


@pytest.mark.requirement("N16")
async def test_n16_outage_forgets_no_local_writes(
    of_redis: Any, link: RedisConnection, redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Writes that were done, forgotten, done again, of unknown outcome, or running when Redis becomes unavailable."""
    store, other = of_redis(), of_redis()
    for key in ("done", "forgotten", "again"):
        await complete(store, key, groups=[key])
    await store.forget_groups(["forgotten", "again"])
    await complete(store, "again", answer=b"second")
    await store.claim("o", "unknown")
    await store.settle("o", "unknown", b"", known=False)
    assert await store.claim("o", "running") is None
    assert await store.claim("o", "free") is None
    await store.settle("o", "free", None)
    redis.kill()
    for _ in range(2):
        assert recorded_outcome(await store.claim("o", "done")) == (b"a", True)
        assert recorded_outcome(await store.claim("o", "again")) == (b"second", True)
        assert recorded_outcome(await store.claim("o", "unknown")) == (b"", False)
    waiting = asyncio.create_task(store.claim("o", "running"))
    assert await store.claim("o", "forgotten") is None and await store.claim("o", "free") is None
    assert not waiting.done()
    await store.settle("o", "running", b"r")
    assert recorded_outcome(await waiting) == (b"r", True)
    # No other replica can know.
    assert await other.claim("o", "done") is None
    messages = [
        record.getMessage() for record in caplog.records if record.name == "doit_mcp.redis_state.write_receipts"
    ]
    assert len([text for text in messages if "only repeats of its own writes" in text]) == 2
    redis.start()
    await wait_for_redis(link)


@pytest.mark.requirement("N16")
async def test_n16_write_undone_by_another_replica_is_not_mirrored(of_redis: Any, redis: Server) -> None:
    """Done here, forgotten at the other replica and not repeated: while Redis is available, only its receipts count."""
    store, other = of_redis(), of_redis()
    await complete(store, "k", groups=["a"])
    await other.forget_groups(["a"])
    await complete(store, "k", answer=b"new")
    redis.kill()
    assert recorded_outcome(await store.claim("o", "k")) == (b"new", True)


async def test_replicas_do_not_repeat_writes(of_redis: Any, redis: Server) -> None:
    store, other = of_redis(), of_redis()
    assert await store.claim("the-owner", "budgets tenant 1") is None
    waiting = asyncio.create_task(other.claim("the-owner", "budgets tenant 1"))
    await store.settle("the-owner", "budgets tenant 1", b"the answer", groups=["tenant budgets"])
    assert recorded_outcome(await waiting) == (b"the answer", True)
    with redis.client() as client:
        keys = client.keys()
        assert len(keys) == 3 and all(key.startswith(key_prefix(SECRET).encode()) for key in keys)
        assert all(client.pttl(key) > 0 for key in keys)
        stored = b" ".join([*keys, *(client.dump(key) for key in keys)])
        assert not any(word in stored for word in (b"owner", b"tenant", b"answer"))
        # Foreign data in Redis is not accepted as a result.
        for key in client.keys("*:receipt:*"):
            client.hset(key, "a", b"forged")
    assert recorded_outcome(await other.claim("the-owner", "budgets tenant 1")) == (b"", False)


async def test_claim_is_renewed_while_its_write_runs(of_redis: Any) -> None:
    store, other = of_redis(lease=1.0), of_redis(lease=1.0)
    assert await store.claim("o", "k") is None
    waiting = asyncio.create_task(other.claim("o", "k"))
    await asyncio.wait([waiting], timeout=2.5)
    assert not waiting.done()
    await store.settle("o", "k", b"a")
    assert recorded_outcome(await waiting) == (b"a", True)


async def test_write_of_a_dead_replica_is_not_repeated(of_redis: Any) -> None:
    """The outcome is unknown."""
    dying, other = of_redis(lease=0.1, ttl=1.5), of_redis(lease=0.1, ttl=1.5)
    assert await dying.claim("o", "k") is None
    await dying.close()
    assert recorded_outcome(await other.claim("o", "k")) == (b"", False)
    while await other.claim("o", "k") is not None:
        await asyncio.sleep(0.02)


async def test_each_process_stands_alone_without_redis(
    of_redis: Any, link: RedisConnection, redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage logs one warning; afterwards this process still knows the writes of that time."""
    caplog.set_level(logging.INFO, "doit_mcp.redis_state")
    receipts, other = of_redis(), of_redis()
    assert await receipts.claim("o", "before") is None
    redis.pause()
    await receipts.settle("o", "before", b"b")
    for key in ("k", "l"):
        await complete(receipts, key)
    first, second = await asyncio.gather(receipts.claim("o", "m"), asyncio.wait_for(receipts.forget("o", "z"), 20))
    assert first is None and second is None
    assert recorded_outcome(await receipts.claim("o", "k")) == (b"a", True)
    messages = [
        record.getMessage() for record in caplog.records if record.name == "doit_mcp.redis_state.write_receipts"
    ]
    assert sum("only repeats of its own writes" in text for text in messages) == 1
    redis.resume()
    await wait_for_redis(link)
    assert recorded_outcome(await receipts.claim("o", "before")) == (b"b", True)
    assert recorded_outcome(await receipts.claim("o", "k")) == (b"a", True)
    await receipts.settle("o", "m", None)
    await complete(receipts, "n")
    assert recorded_outcome(await other.claim("o", "n")) == (b"a", True)


async def test_concurrent_writes_while_redis_fails(of_redis: Any, redis: Server) -> None:
    receipts = of_redis()
    redis.pause()
    claims = [asyncio.create_task(receipts.claim("o", "k")) for _ in range(3)]
    done, waiting = await asyncio.wait(claims, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [None]
    await receipts.settle("o", "k", b"a")
    assert [recorded_outcome(await task) for task in waiting] == [(b"a", True)] * 2


async def test_canceled_waiter_leaves_nothing(of_redis: Any, link: RedisConnection, redis: Server) -> None:
    store, other = of_redis(), of_redis()
    assert await store.claim("o", "k") is None
    redis.pause()
    await complete(other, "local")
    redis.resume()
    await wait_for_redis(link)
    waiting = asyncio.create_task(other.claim("o", "k"))
    await asyncio.wait([waiting], timeout=0.1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await store.settle("o", "k", b"a")
    assert recorded_outcome(await asyncio.wait_for(other.claim("o", "k"), 20)) == (b"a", True)


async def test_claim_that_was_not_renewed_can_still_settle(of_redis: Any, link: RedisConnection, redis: Server) -> None:
    store, other = of_redis(lease=0.15), of_redis(lease=0.15)
    assert await store.claim("o", "k") is None
    redis.pause()
    # Longer than the timeout of a command.
    await asyncio.sleep(0.5)
    redis.resume()
    await wait_for_redis(link)
    await store.settle("o", "k", b"a")
    assert recorded_outcome(await other.claim("o", "k")) == (b"a", True)


async def test_write_not_applied_while_redis_fails_leaves_no_record(
    of_redis: Any, link: RedisConnection, redis: Server
) -> None:
    receipts = of_redis(lease=0.15)
    assert await receipts.claim("o", "k") is None
    redis.kill()
    await receipts.settle("o", "k", None)
    assert await receipts.claim("o", "k") is None
    redis.start()
    await wait_for_redis(link)
