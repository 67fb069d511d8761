"""What is asked before a request takes its place: the rate of calls of this process."""

from __future__ import annotations

import pytest

from doit_mcp.protocol.jsonrpc import Message, Notification, Request, RpcError
from doit_mcp.resilience.concurrency import Full, Slots
from doit_mcp.server.admission import Admission, Rate, TooFast

CALL, PING = Request(1, "tools/call", {}), Request(2, "ping", {})
OTHERS: list[Message | RpcError] = [PING, Notification("tools/call", {}), RpcError(-32600, "x")]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def refused(admission: Admission, *read: Message | RpcError, owner: str = "a") -> Full:
    with pytest.raises(Full) as caught:
        await admission.ask(owner, *read)
    return caught.value


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 10), (30, 10), (60, 20)])
async def test_a_burst_and_then_the_rate(per_minute: int, burst: int) -> None:
    """Q2: calls of tools alone count, each of a batch, for each principal by itself."""
    clock = Clock()
    admission = Admission(Slots(per_owner=1, total=2), Rate(per_minute, clock=clock), None)
    await admission.ask("a", *[CALL] * (burst - 1))
    for _ in range(3 * burst):
        await admission.ask("a", *OTHERS)
    await admission.ask("a", CALL)
    told = await refused(admission, CALL, *OTHERS)
    assert isinstance(told, TooFast) and not told.everyone and told.retry_s == round(60 / per_minute)
    assert "slow down" in str(told)
    await admission.ask("b", CALL)
    clock.now += told.retry_s
    await admission.ask("a", CALL)
    assert isinstance(await refused(admission, CALL), TooFast)


async def test_what_has_no_place_counts_as_no_call() -> None:
    slots = Slots(per_owner=1, total=2)
    admission = Admission(slots, Rate(1, clock=Clock()), None)
    slots.take("a")
    for _ in range(20):
        told = await refused(admission, CALL)
        assert (told.everyone, told.retry_s) == (False, 2)
    slots.take("b")
    assert (await refused(admission, CALL, owner="c")).everyone
    slots.give_back("a")
    await admission.ask("a", *[CALL] * 10)


async def test_calls_that_did_not_begin_are_given_back() -> None:
    rate = Rate(1, clock=Clock())
    await rate.take("a", 10)
    rate.give_back("a", 4)
    await rate.take("a", 4)
    with pytest.raises(TooFast):
        await rate.take("a", 1)
