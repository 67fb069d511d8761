"""Computations in the thread: callers take turns, and nothing is left of what was canceled or failed."""

from __future__ import annotations

import asyncio
import gc
import weakref
from threading import Event

import pytest

from doit_mcp import heavy
from doit_mcp.heavy import Turns, in_thread
from doit_mcp.trace import CURRENT, Trace


def test_n3_a_caller_with_many_computations_waits_for_itself() -> None:
    turns, begin, done = Turns(), Event(), list[str]()
    turns.submit("first", begin.wait)
    many = [turns.submit("greedy", lambda: done.append("greedy")) for _ in range(50)]
    others = [turns.submit(name, lambda name=name: done.append(name)) for name in ("b", "c")]
    begin.set()
    for future in (*many, *others):
        future.result(20)
    assert done == ["greedy", "b", "c", *["greedy"] * 49]


async def test_the_caller_is_that_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    callers: list[str] = []

    class Noting(Turns):
        def submit(self, caller, work):  # type: ignore[no-untyped-def]
            callers.append(caller)
            return super().submit(caller, work)

    monkeypatch.setattr(heavy, "_TURNS", Noting())
    assert await in_thread(max, 1, 2) == 2
    token = CURRENT.set(Trace("t", "0" * 32, owner="somebody"))
    try:
        assert await in_thread(sorted, [2, 1], reverse=False) == [1, 2]
    finally:
        CURRENT.reset(token)
    assert callers == ["", "somebody"]


async def test_failures_and_what_is_canceled() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)
    begin, done = Event(), list[str]()
    first = asyncio.ensure_future(in_thread(begin.wait))
    second = asyncio.ensure_future(in_thread(done.append, "second"))
    await asyncio.sleep(0)
    second.cancel()
    begin.set()
    assert await first is True
    with pytest.raises(asyncio.CancelledError):
        await second
    await in_thread(done.append, "third")
    assert done == ["third"]


async def test_the_thread_keeps_no_result() -> None:
    class Large:
        pass

    made = weakref.ref(await in_thread(Large))
    await in_thread(int)
    gc.collect()
    assert made() is None
