"""Admission: the rate of tool calls in one process."""

from __future__ import annotations

import pytest

from doit_mcp.protocol.jsonrpc import Message, Notification, Request, RpcError
from doit_mcp.resilience.concurrency import ConcurrencyLimiter
from doit_mcp.resilience.limits import LimitExceeded, TieredLimiter
from doit_mcp.server.admission import TOO_MANY_CALLS, Admission, call_rate, call_rate_limiter

CALL, PING = Request(1, "tools/call", {}), Request(2, "ping", {})
OTHERS: list[Message | RpcError] = [PING, Notification("tools/call", {}), RpcError(-32600, "x")]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def rate(per_minute: int, clock: Clock) -> TieredLimiter:
    """The call rate of one process."""
    return TieredLimiter(call_rate_limiter(call_rate(per_minute), clock))


async def rejection(admission: Admission, *read: Message | RpcError, owner: str = "a") -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        await admission.admit(owner, *read)
    return caught.value


@pytest.mark.requirement("Q2")
@pytest.mark.parametrize(("per_minute", "burst"), [(1, 10), (30, 10), (60, 20)])
async def test_burst_then_rate(per_minute: int, burst: int) -> None:
    """Only calls of tools count, each call of a batch separately, and each principal has its own rate."""
    clock = Clock()
    admission = Admission(ConcurrencyLimiter(max_per_owner=1, max_total=2), rate(per_minute, clock), None)
    await admission.admit("a", *[CALL] * (burst - 1))
    for _ in range(3 * burst):
        await admission.admit("a", *OTHERS)
    await admission.admit("a", CALL)
    error = await rejection(admission, CALL, *OTHERS)
    assert (str(error), error.scope, error.retry_after_seconds) == (TOO_MANY_CALLS, "owner", round(60 / per_minute))
    await admission.admit("b", CALL)
    clock.now += error.retry_after_seconds
    await admission.admit("a", CALL)
    assert str(await rejection(admission, CALL)) == TOO_MANY_CALLS


async def test_rejected_call_is_not_counted() -> None:
    slots = ConcurrencyLimiter(max_per_owner=1, max_total=2)
    admission = Admission(slots, rate(1, Clock()), None)
    slots.acquire("a")
    for _ in range(20):
        error = await rejection(admission, CALL)
        assert (error.scope, error.retry_after_seconds) == ("owner", 2)
    slots.acquire("b")
    assert (await rejection(admission, CALL, owner="c")).scope == "server"
    slots.release("a")
    await admission.admit("a", *[CALL] * 10)


class FullReplicas:
    """A shared limiter that admits nothing."""

    async def acquire(self, owner: str, amount: int = 1) -> None:
        raise LimitExceeded("owner", 2.0, "full elsewhere")

    def release(self, owner: str, amount: int = 1) -> None:
        raise AssertionError("nothing was acquired")


async def test_calls_rejected_by_other_replicas_cost_no_tokens() -> None:
    slots = ConcurrencyLimiter(max_per_owner=1, max_total=2)
    calls = rate(1, Clock())
    admission = Admission(slots, calls, FullReplicas())
    for _ in range(20):
        assert str(await rejection(admission, CALL, CALL)) == "full elsewhere"
    await calls.acquire("a", 10)
    with pytest.raises(LimitExceeded, match="slow down"):
        await calls.acquire("a")
