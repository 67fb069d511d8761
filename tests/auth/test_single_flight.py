"""Single flight, the cache with expiry, and the limiter of failed attempts."""

from __future__ import annotations

import asyncio

import pytest

from doit_mcp.auth.failed_attempts import AttemptLimiter
from doit_mcp.auth.single_flight import SingleFlight
from doit_mcp.auth.ttl_cache import TtlCache
from doit_mcp.resilience.limits import LimitExceeded
from doit_mcp.resilience.token_bucket import Rate
from tests.resilience.limiters import wait as seconds

from .provider import Clock


async def test_concurrent_callers_share_one_fetch() -> None:
    fetches: SingleFlight[int] = SingleFlight(5)
    release, started = asyncio.Event(), []

    async def fetch() -> int:
        started.append(1)
        await release.wait()
        return len(started)

    waiting = [asyncio.create_task(fetches.join(b"key", fetch)) for _ in range(20)]
    await asyncio.sleep(0)
    assert b"key" in fetches
    release.set()
    assert await asyncio.gather(*waiting) == [1] * 20
    assert b"key" not in fetches
    assert await fetches.join(b"key", fetch) == 2


async def test_failure_reaches_all_callers_and_the_next_call_retries() -> None:
    fetches: SingleFlight[int] = SingleFlight(5)

    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError("nothing there")

    results = await asyncio.gather(*(fetches.join(b"key", fail) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, LookupError) for result in results)
    with pytest.raises(LookupError):
        await fetches.join(b"key", fail)


async def test_failure_without_callers_is_not_reported() -> None:
    fetches: SingleFlight[int] = SingleFlight(5)
    release = asyncio.Event()

    async def fail() -> int:
        await release.wait()
        raise LookupError("unobserved")

    waiting = asyncio.create_task(fetches.join(b"key", fail))
    await asyncio.sleep(0)
    waiting.cancel()
    release.set()
    while b"key" in fetches:
        await asyncio.sleep(0)
    assert waiting.cancelled()


async def test_fetches_are_bounded_and_canceled_by_close() -> None:
    fetches: SingleFlight[None] = SingleFlight(2)
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    waiting = [asyncio.create_task(fetches.join(key, wait)) for key in (b"a", b"b")]
    await asyncio.sleep(0)
    with pytest.raises(LimitExceeded):
        await fetches.join(b"c", wait)
    await asyncio.sleep(0)
    await fetches.close()
    assert len(ended) == 2
    await asyncio.gather(*waiting, return_exceptions=True)


def test_cached_values_expire_and_the_oldest_are_evicted(clock: Clock) -> None:
    cache: TtlCache[str] = TtlCache(2, clock)
    cache.put(b"a", "A", clock.now + 10)
    cache.put(b"b", "B", clock.now + 20)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == ("A", "B", None)
    clock.advance(10)
    assert (cache.get(b"a"), cache.get(b"b"), len(cache)) == (None, "B", 1)
    cache.put(b"c", "C", clock.now + 1)
    cache.put(b"d", "D", clock.now + 1)
    assert (cache.get(b"b"), cache.get(b"c"), cache.get(b"d")) == (None, "C", "D")
    cache.put(b"c", "over", clock.now)
    cache.pop(b"d")
    cache.pop(b"never")
    assert len(cache) == 0


def test_attempts_run_out_and_refill(clock: Clock) -> None:
    tries = AttemptLimiter(clock, total=Rate(3, 1), by_address=Rate(2, 0.5))
    assert [seconds(tries, "a") for _ in range(3)] == [0, 0, 2]
    assert [seconds(tries, "b"), seconds(tries, "b"), seconds(tries, "")] == [0, 1, 1]
    clock.advance(2)
    assert [seconds(tries, "a"), seconds(tries, "a")] == [0, 2]
    tries.release("a")
    assert seconds(tries, "a") == 0
    clock.advance(-100)
    assert seconds(tries, "a") > 0


def test_rejected_attempt_costs_other_addresses_nothing(clock: Clock) -> None:
    tries = AttemptLimiter(clock, total=Rate(4, 1), by_address=Rate(1, 1))
    assert [bool(seconds(tries, "a")) for _ in range(10)] == [False] + [True] * 9
    assert [seconds(tries, name) for name in "bcd"] == [0, 0, 0]


def test_idle_addresses_are_forgotten(clock: Clock) -> None:
    tries = AttemptLimiter(clock, total=Rate(1000, 1), by_address=Rate(1, 1), max_addresses=3)
    for name in ("a", "b", "c", "d"):
        assert seconds(tries, name) == 0
    assert seconds(tries, "d") > 0
    assert seconds(tries, "a") == 0


@pytest.mark.requirement("N21")
def test_n21_attempts_are_reserved_for_addresses_of_valid_tokens(clock: Clock) -> None:
    tries = AttemptLimiter(clock, total=Rate(2, 0.001), by_address=Rate(3, 0.001), reserve=Rate(2, 1), max_addresses=2)
    tries.record_success("good")
    tries.record_success("")
    assert [bool(seconds(tries, name)) for name in ("a", "b", "c", "good")] == [False, False, True, True]
    assert [tries.try_acquire_reserved(name) for name in ("c", "", "good", "good")] == [False, False, True, True]
    assert not tries.try_acquire_reserved("good")
    clock.advance(10)
    # The address still has its own limit, and is forgotten when other addresses come.
    assert [tries.try_acquire_reserved("good") for _ in range(2)] == [True, False]
    for name in ("d", "e"):
        tries.record_success(name)
    clock.advance(10)
    assert [tries.try_acquire_reserved(name) for name in ("good", "d", "e")] == [False, True, True]
