"""The limiter interface: every limiter raises the same error, and a limit of two tiers counts in both or in neither."""

from __future__ import annotations

import asyncio

import pytest

from doit_mcp.resilience.concurrency import ConcurrencyLimiter
from doit_mcp.resilience.limits import Limiter, LimitExceeded, TieredLimiter
from doit_mcp.resilience.token_bucket import RateLimiter, TokenBucket, TokenBuckets
from tests.resilience.limiters import shared_wait, wait


class Replicas:
    """A shared limiter of two slots, which needs a turn of the event loop to respond."""

    def __init__(self) -> None:
        self.slots = ConcurrencyLimiter(max_per_owner=2, max_total=9, owner_message="shared")

    async def acquire(self, owner: str, amount: int = 1) -> None:
        await asyncio.sleep(0)
        self.slots.acquire(owner, amount)

    def release(self, owner: str, amount: int = 1) -> None:
        self.slots.release(owner, amount)


@pytest.mark.parametrize(("delay", "seconds"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (30.0, 30)])
def test_delay_is_stated_in_seconds(delay: float, seconds: int) -> None:
    assert LimitExceeded("owner", delay, "full").retry_after_seconds == seconds


async def test_both_tiers_count_or_neither() -> None:
    local, shared = ConcurrencyLimiter(max_per_owner=3, max_total=9), Replicas()
    limiter = TieredLimiter(local, shared)
    await limiter.acquire("a", 2)
    with pytest.raises(LimitExceeded, match="shared"):
        await limiter.acquire("a")
    assert (local.held_by("a"), shared.slots.held_by("a")) == (2, 2)
    # The local limit is checked first, so the shared one counts nothing.
    with pytest.raises(LimitExceeded, match="in progress"):
        await limiter.acquire("a", 2)
    assert shared.slots.held_by("a") == 2
    limiter.release("a", 2)
    assert (local.in_use, shared.slots.in_use) == (0, 0)


async def test_single_tier() -> None:
    local = ConcurrencyLimiter(max_per_owner=1, max_total=1)
    limiter = TieredLimiter(local)
    assert [await shared_wait(limiter, "a"), await shared_wait(limiter, "a")] == [0, 2]
    limiter.release("a")
    assert local.in_use == 0


def limiters() -> list[Limiter]:
    """One of each kind; each admits two of "a" and three in total."""
    rates = RateLimiter("full", TokenBuckets(2, 0.001), TokenBucket(3, 0.001, 0.0), clock=lambda: 0.0)
    return [ConcurrencyLimiter(max_per_owner=2, max_total=3), rates]


@pytest.mark.parametrize("limiter", limiters(), ids=lambda limiter: type(limiter).__name__)
def test_limit_error_names_its_scope(limiter: Limiter) -> None:
    assert wait(limiter, "a", 2) == 0
    with pytest.raises(LimitExceeded) as caught:
        limiter.acquire("a")
    assert wait(limiter, "b") == 0
    with pytest.raises(LimitExceeded) as total:
        limiter.acquire("c")
    assert (caught.value.scope, total.value.scope) == ("owner", "server")
    assert caught.value.retry_after > 0 and total.value.retry_after > 0
    # A refused attempt counts nowhere.
    limiter.release("a")
    assert wait(limiter, "c") == 0


def test_owner_without_a_name_has_only_the_total_rate() -> None:
    limiter = RateLimiter("full", TokenBuckets(1, 0.001), TokenBucket(3, 0.001, 0.0), clock=lambda: 0.0)
    assert [wait(limiter, "") for _ in range(3)] == [0, 0, 0] and wait(limiter, "") > 0
    limiter.release("")
    assert wait(limiter, "") == 0


def test_bytes_are_counted_by_size() -> None:
    limiter = ConcurrencyLimiter(max_per_owner=10, max_total=15)
    assert wait(limiter, "a", 10) == 0 and wait(limiter, "a", 1) > 0 and wait(limiter, "b", 6) > 0
    assert wait(limiter, "b", 5) == 0
    limiter.release("a", 10)
    assert (limiter.in_use, limiter.held_by("a")) == (5, 0)
