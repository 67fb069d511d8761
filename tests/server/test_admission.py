"""What is asked before a request takes its place: the rate of calls of this process."""

from __future__ import annotations

import pytest

from doit_mcp.protocol.jsonrpc import Message, Notification, Request, RpcError
from doit_mcp.resilience.concurrency import ConcurrencyLimiter, LimitExceeded
from doit_mcp.server.admission import Admission, CallRateLimiter, RateLimitExceeded

CALL, PING = Request(1, "tools/call", {}), Request(2, "ping", {})
OTHERS: list[Message | RpcError] = [PING, Notification("tools/call", {}), RpcError(-32600, "x")]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def refused(admission: Admission, *read: Message | RpcError, owner: str = "a") -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        await admission.admit(owner, *read)
    return caught.value


@pytest.mark.requirement("Q2")
@pytest.mark.parametrize(("per_minute", "burst"), [(1, 10), (30, 10), (60, 20)])
async def test_a_burst_and_then_the_rate(per_minute: int, burst: int) -> None:
    """Calls of tools alone count, each of a batch, for each principal by itself."""
    clock = Clock()
    admission = Admission(
        ConcurrencyLimiter(max_per_owner=1, max_total=2), CallRateLimiter(per_minute, clock=clock), None
    )
    await admission.admit("a", *[CALL] * (burst - 1))
    for _ in range(3 * burst):
        await admission.admit("a", *OTHERS)
    await admission.admit("a", CALL)
    told = await refused(admission, CALL, *OTHERS)
    assert (
        isinstance(told, RateLimitExceeded)
        and not told.server_wide
        and told.retry_after_seconds == round(60 / per_minute)
    )
    assert "slow down" in str(told)
    await admission.admit("b", CALL)
    clock.now += told.retry_after_seconds
    await admission.admit("a", CALL)
    assert isinstance(await refused(admission, CALL), RateLimitExceeded)


async def test_what_has_no_place_counts_as_no_call() -> None:
    slots = ConcurrencyLimiter(max_per_owner=1, max_total=2)
    admission = Admission(slots, CallRateLimiter(1, clock=Clock()), None)
    slots.acquire("a")
    for _ in range(20):
        told = await refused(admission, CALL)
        assert (told.server_wide, told.retry_after_seconds) == (False, 2)
    slots.acquire("b")
    assert (await refused(admission, CALL, owner="c")).server_wide
    slots.release("a")
    await admission.admit("a", *[CALL] * 10)


async def test_calls_that_did_not_begin_are_given_back() -> None:
    rate = CallRateLimiter(1, clock=Clock())
    await rate.take("a", 10)
    rate.give_back("a", 4)
    await rate.take("a", 4)
    with pytest.raises(RateLimitExceeded):
        await rate.take("a", 1)
