"""The compute thread: callers take turns, and nothing of canceled or failed computations stays in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from threading import Event

import pytest

from doit_mcp.observability.trace import CURRENT_TRACE, Trace
from doit_mcp.resilience import compute_thread
from doit_mcp.resilience.compute_thread import MAX_QUEUED_PER_CALLER, ComputeThread, run_in_thread
from doit_mcp.resilience.limits import LimitExceeded


@pytest.mark.requirement("N3")
def test_n3_caller_with_many_computations_waits_for_itself() -> None:
    turns, begin, done = ComputeThread(), Event(), list[str]()
    turns.submit("first", begin.wait)
    futures = [turns.submit("greedy", lambda: done.append("greedy")) for _ in range(50)]
    others = [turns.submit(name, lambda name=name: done.append(name)) for name in ("b", "c")]
    begin.set()
    for future in (*futures, *others):
        future.result(20)
    assert done == ["greedy", "b", "c", *["greedy"] * 49]


async def test_caller_is_taken_from_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    callers: list[str] = []

    class Noting(ComputeThread):
        def submit(self, caller, work, **how):  # type: ignore[no-untyped-def]  # forwards all arguments
            callers.append(caller)
            return super().submit(caller, work, **how)

    monkeypatch.setattr(compute_thread, "_COMPUTE_THREAD", Noting())
    assert await run_in_thread(max, 1, 2) == 2
    token = CURRENT_TRACE.set(Trace("t", "0" * 32, owner="somebody"))
    try:
        assert await run_in_thread(sorted, [2, 1], reverse=False) == [1, 2]
    finally:
        CURRENT_TRACE.reset(token)
    assert callers == ["", "somebody"]


async def test_failures_and_cancellations() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 / 0)
    begin, done = Event(), list[str]()
    first = asyncio.ensure_future(run_in_thread(begin.wait))
    second = asyncio.ensure_future(run_in_thread(done.append, "second"))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    begin.set()
    assert await first is True
    await run_in_thread(done.append, "third")
    assert done == ["third"]


async def test_thread_keeps_no_result() -> None:
    class Large:
        pass

    reference = weakref.ref(await run_in_thread(Large))
    await run_in_thread(int)
    gc.collect()
    assert reference() is None


@pytest.mark.requirement("N1")
async def test_n1_canceled_computation_leaves_the_queue() -> None:
    """Its data can be large, and earlier computations can take long."""

    class Large:
        def __call__(self) -> None:
            """Do some work."""

    turns, begin = ComputeThread(), Event()
    running = turns.submit("first", begin.wait)
    while not running.running():
        await asyncio.sleep(0.001)
    held: list[weakref.ref[Large]] = []
    for caller in ("first", "second", "second"):
        work = Large()
        held.append(weakref.ref(work))
        assert turns.submit(caller, work).cancel()
        del work
    assert [future() for future in held] == [None] * 3 and turns._queued == 0 and not turns._queues
    after = turns.submit("second", lambda: "done")
    assert not running.cancel()
    begin.set()
    assert await asyncio.wrap_future(after) == "done" and running.result(20) is True


@pytest.mark.requirement("N1")
def test_n1_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for each caller and in total, and only for work that starts a request."""
    monkeypatch.setattr(compute_thread, "MAX_QUEUED", MAX_QUEUED_PER_CALLER + 2)
    turns, begin = ComputeThread(), Event()
    running = turns.submit("", begin.wait)
    while not running.running():
        pass
    mine = [turns.submit("a", int, may_reject=True) for _ in range(MAX_QUEUED_PER_CALLER)]
    with pytest.raises(LimitExceeded, match="send fewer at a time") as caught:
        turns.submit("a", int, may_reject=True)
    others = [turns.submit("b", int, may_reject=True), turns.submit("c", int, may_reject=True)]
    with pytest.raises(LimitExceeded, match="The server is busy") as refused:
        turns.submit("d", int, may_reject=True)
    assert (caught.value.scope, refused.value.scope) == ("owner", "server")
    later = turns.submit("a", int)
    mine[0].cancel(), later.cancel()
    mine[0] = turns.submit("a", int, may_reject=True)
    begin.set()
    assert [future.result(20) for future in (*mine, *others)] == [0] * (MAX_QUEUED_PER_CALLER + 2)
    assert turns._queued == 0
