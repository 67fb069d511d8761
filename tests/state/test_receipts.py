"""Receipts: one contract, in memory and in Redis; several replicas, one that dies, and Redis away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from doit_mcp.catalogue.receipts import MemoryReceipts, Receipt, Receipts
from doit_mcp.state.box import Box, prefix
from doit_mcp.state.link import Link
from doit_mcp.state.receipts import RedisReceipts
from tests.state.conftest import SECRET
from tests.state.redis_server import Server, back

Make = Callable[..., Receipts]
BOUNDS: dict[str, Any] = {"life": 60.0, "per_owner": 100, "most_bytes": 100}


class Unprotected(Exception):
    """A write that is refused because its receipt could not be kept."""


@pytest.fixture
async def of_redis(link: Link) -> AsyncIterator[Callable[..., RedisReceipts[Receipt]]]:
    """Each is another replica."""
    made: list[RedisReceipts[Receipt]] = []

    def make(**bounds: Any) -> RedisReceipts[Receipt]:
        box = Box(SECRET, "receipts")
        made.append(RedisReceipts(link, box, MemoryReceipts(), Receipt, Unprotected, **{**BOUNDS, **bounds}))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "redis":
        of_redis: Make = request.getfixturevalue("of_redis")
        return of_redis
    return lambda **bounds: MemoryReceipts(**{**BOUNDS, **bounds})


async def done(receipts: Receipts, key: str, owner: str = "o", answer: bytes = b"a") -> None:
    assert await receipts.claim(owner, key) is None
    await receipts.settle(owner, key, answer)


def told(receipt: Receipt | None) -> tuple[bytes, bool]:
    assert receipt is not None and 0 <= receipt.seconds < 30
    return receipt.answer, receipt.done


async def test_the_second_is_told(make: Make) -> None:
    receipts = make()
    await done(receipts, "k")
    assert told(await receipts.claim("o", "k")) == (b"a", True)
    assert await receipts.claim("p", "k") is None and await receipts.claim("o", "l") is None


async def test_until_the_time_is_over(make: Make) -> None:
    receipts = make(life=0.05)
    await done(receipts, "k")
    while await receipts.claim("o", "k") is not None:
        await asyncio.sleep(0.005)


async def test_what_was_surely_not_done_may_be_done(make: Make) -> None:
    receipts = make()
    assert await receipts.claim("o", "k") is None
    await receipts.settle("o", "k", None)
    assert await receipts.claim("o", "k") is None


async def test_what_nobody_knows_is_said_to_be_unknown(make: Make) -> None:
    receipts = make()
    await receipts.claim("o", "k")
    await receipts.settle("o", "k", b"", known=False)
    assert told(await receipts.claim("o", "k")) == (b"", False)


async def test_a_large_answer_is_only_known_to_be_done(make: Make) -> None:
    receipts = make(most_bytes=3)
    await done(receipts, "k", answer=b"four")
    assert told(await receipts.claim("o", "k")) == (b"", True)


async def test_who_comes_meanwhile_waits(make: Make) -> None:
    receipts = make()
    assert await receipts.claim("o", "k") is None
    waiting = [asyncio.create_task(receipts.claim("o", "k")) for _ in range(3)]
    await receipts.claim("o", "other")
    assert not any(task.done() for task in waiting)
    await receipts.settle("o", "k", b"answer")
    assert [told(await task) for task in waiting] == [(b"answer", True)] * 3


async def test_one_of_those_who_wait_does_what_was_not_done(make: Make) -> None:
    receipts = make()
    assert await receipts.claim("o", "k") is None
    waiting = [asyncio.create_task(receipts.claim("o", "k")) for _ in range(3)]
    await receipts.settle("o", "k", None)
    first, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in first] == [None]
    await receipts.settle("o", "k", b"b")
    results = [await task for task in waiting]
    assert sorted(told(one)[0] for one in results if one is not None) == [b"b", b"b"]


async def test_an_owners_oldest_make_room(make: Make) -> None:
    receipts = make(per_owner=2)
    await done(receipts, "other", owner="p")
    assert await receipts.claim("o", "running") is None
    for key in ("1", "2"):
        await done(receipts, key)
    assert told(await receipts.claim("o", "2")) == (b"a", True) and await receipts.claim("o", "1") is None
    assert told(await receipts.claim("p", "other")) == (b"a", True)


async def test_a_group_is_forgotten_but_for_what_is_being_done(make: Make) -> None:
    receipts = make()
    await receipts.forget("o", "budgets ")
    for key in ("budgets t 1", "budgets t 2", "alerts t 1"):
        await done(receipts, key)
    await done(receipts, "budgets t 1", owner="p")
    assert await receipts.claim("o", "budgets t 3") is None
    await receipts.forget("o", "budgets ")
    assert await receipts.claim("o", "budgets t 1") is None
    assert told(await receipts.claim("o", "alerts t 1")) and told(await receipts.claim("p", "budgets t 1"))
    await receipts.settle("o", "budgets t 3", b"3")
    assert told(await receipts.claim("o", "budgets t 3")) == (b"3", True)


async def test_n16_a_group_is_forgotten_for_everybody_but_for_what_is_not_known(make: Make) -> None:
    receipts = make()
    for owner in ("o", "p"):
        await done(receipts, "tags t changed 1", owner=owner)
        await done(receipts, "tags t made 1", owner=owner)
        await done(receipts, "tags u changed 1", owner=owner)
    assert await receipts.claim("o", "tags t changed 2") is None
    assert await receipts.claim("o", "tags t changed 3") is None
    await receipts.settle("o", "tags t changed 3", b"", known=False)
    await receipts.forget_all("tags t changed ")
    for owner in ("o", "p"):
        assert await receipts.claim(owner, "tags t changed 1") is None
        for key in ("tags t made 1", "tags u changed 1"):
            assert told(await receipts.claim(owner, key)) == (b"a", True)
    assert told(await receipts.claim("o", "tags t changed 3")) == (b"", False)
    await receipts.settle("o", "tags t changed 2", b"2")
    assert told(await receipts.claim("o", "tags t changed 2")) == (b"2", True)


async def test_n16_another_replica_forgets_as_well(of_redis: Any) -> None:
    one, other = of_redis(), of_redis()
    await done(one, "tags t changed 1")
    await other.forget_all("tags t changed ")
    assert await one.claim("o", "tags t changed 1") is None


async def test_replicas_do_nothing_twice(of_redis: Any, redis: Server) -> None:
    one, other = of_redis(), of_redis()
    assert await one.claim("the-owner", "budgets tenant 1") is None
    waiting = asyncio.create_task(other.claim("the-owner", "budgets tenant 1"))
    await one.settle("the-owner", "budgets tenant 1", b"the answer")
    assert told(await waiting) == (b"the answer", True)
    with redis.client() as client:
        keys = client.keys()
        assert len(keys) == 3 and all(key.startswith(prefix(SECRET).encode()) for key in keys)
        assert all(client.pttl(key) > 0 for key in keys)
        seen = b" ".join([*keys, *(client.dump(key) for key in keys)])
        assert not any(word in seen for word in (b"owner", b"tenant", b"answer"))
        # What somebody writes into Redis is not taken for an answer.
        for key in client.keys("*:receipt:*"):
            client.hset(key, "a", b"forged")
    assert told(await other.claim("the-owner", "budgets tenant 1")) == (b"", False)


async def test_a_claim_is_renewed_while_its_write_runs(of_redis: Any) -> None:
    one, other = of_redis(lease=1.0), of_redis(lease=1.0)
    assert await one.claim("o", "k") is None
    waiting = asyncio.create_task(other.claim("o", "k"))
    await asyncio.wait([waiting], timeout=2.5)
    assert not waiting.done()
    await one.settle("o", "k", b"a")
    assert told(await waiting) == (b"a", True)


async def test_what_a_replica_that_died_was_doing_is_not_repeated(of_redis: Any) -> None:
    """Nobody knows whether it was done."""
    dying, other = of_redis(lease=0.1, life=1.5), of_redis(lease=0.1, life=1.5)
    assert await dying.claim("o", "k") is None
    await dying.close()
    assert told(await other.claim("o", "k")) == (b"", False)
    while await other.claim("o", "k") is not None:
        await asyncio.sleep(0.02)


async def test_without_redis_each_process_for_itself(
    of_redis: Any, link: Link, redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning for an outage; what was done meanwhile is still known here afterwards."""
    caplog.set_level(logging.INFO, "doit_mcp.state")
    receipts, other = of_redis(), of_redis()
    assert await receipts.claim("o", "before") is None
    redis.pause()
    await receipts.settle("o", "before", b"b")
    for key in ("k", "l"):
        await done(receipts, key)
    first, second = await asyncio.gather(receipts.claim("o", "m"), asyncio.wait_for(receipts.forget("o", "z"), 20))
    assert first is None and second is None
    assert told(await receipts.claim("o", "k")) == (b"a", True)
    said = [record.getMessage() for record in caplog.records if record.name == "doit_mcp.state.receipts"]
    assert sum("this process alone" in text for text in said) == 1
    redis.resume()
    await back(link)
    assert told(await receipts.claim("o", "before")) == (b"b", True)
    assert told(await receipts.claim("o", "k")) == (b"a", True)
    await receipts.settle("o", "m", None)
    await done(receipts, "n")
    assert told(await other.claim("o", "n")) == (b"a", True)


async def test_two_at_once_while_redis_goes(of_redis: Any, redis: Server) -> None:
    receipts = of_redis()
    redis.pause()
    claims = [asyncio.create_task(receipts.claim("o", "k")) for _ in range(3)]
    done, waiting = await asyncio.wait(claims, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [None]
    await receipts.settle("o", "k", b"a")
    assert [told(await task) for task in waiting] == [(b"a", True)] * 2


async def test_who_gives_up_waiting_leaves_nothing_behind(of_redis: Any, link: Link, redis: Server) -> None:
    one, other = of_redis(), of_redis()
    assert await one.claim("o", "k") is None
    redis.pause()
    await done(other, "local")
    redis.resume()
    await back(link)
    waiting = asyncio.create_task(other.claim("o", "k"))
    await asyncio.wait([waiting], timeout=0.1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await one.settle("o", "k", b"a")
    assert told(await asyncio.wait_for(other.claim("o", "k"), 20)) == (b"a", True)


async def test_who_could_not_renew_can_still_settle(of_redis: Any, link: Link, redis: Server) -> None:
    one, other = of_redis(lease=0.15), of_redis(lease=0.15)
    assert await one.claim("o", "k") is None
    redis.pause()
    # Longer than a command may take.
    await asyncio.sleep(0.5)
    redis.resume()
    await back(link)
    await one.settle("o", "k", b"a")
    assert told(await other.claim("o", "k")) == (b"a", True)


async def test_what_was_not_done_while_redis_went_is_nowhere(of_redis: Any, link: Link, redis: Server) -> None:
    receipts = of_redis(lease=0.15)
    assert await receipts.claim("o", "k") is None
    redis.kill()
    await receipts.settle("o", "k", None)
    assert await receipts.claim("o", "k") is None
    redis.start()
    await back(link)


async def test_names_that_are_not_ours_are_in_no_group(of_redis: Any, redis: Server) -> None:
    receipts = of_redis()
    await done(receipts, "g 1")
    with redis.client() as client:
        for key in client.keys("*:receipt:*"):
            client.hset(key, "n", b"forged")
    await receipts.forget("o", "g ")
    assert told(await receipts.claim("o", "g 1")) == (b"a", True)
