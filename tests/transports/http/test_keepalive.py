"""Keepalive: one timer for all streams, a bounded number of streams per turn, and no timer without streams."""

from __future__ import annotations

import asyncio
from typing import Any

from doit_mcp.transports.http.keepalive import EARLY_SHARE, MAX_STREAMS_PER_TURN, Keepalive

INTERVAL = 3600.0


class Stream:
    """A stream that counts its keepalives."""

    def __init__(self) -> None:
        self.count = 0
        self.sent = asyncio.Event()

    def send_keepalive(self) -> None:
        self.count += 1
        self.sent.set()


class Broken(Stream):
    """A stream that fails at each keepalive."""

    def send_keepalive(self) -> None:
        super().send_keepalive()
        raise RuntimeError("out of order")


def soon() -> float:
    """A time at which every stream that was added is due, and no stream that was served at that time."""
    return asyncio.get_running_loop().time() + INTERVAL


async def test_each_stream_is_served_once_per_interval() -> None:
    keepalive, streams = Keepalive(INTERVAL), [Stream() for _ in range(3 * MAX_STREAMS_PER_TURN)]
    for stream in streams:
        keepalive.add(stream)
    now = soon()
    for turn in range(1, 6):
        keepalive.send_due(now)
        served = min(turn * MAX_STREAMS_PER_TURN, len(streams))
        assert sum(stream.count for stream in streams) == served, "a turn serves a small part of all streams"
    assert {stream.count for stream in streams} == {1} and len(keepalive) == len(streams)
    keepalive.send_due(now + INTERVAL)
    assert [stream.count for stream in streams[:2]] == [2, 2], "the first stream is the first again"


async def test_no_stream_is_served_early() -> None:
    keepalive, stream = Keepalive(INTERVAL), Stream()
    keepalive.add(stream)
    due = soon()
    keepalive.send_due(due - 2 * EARLY_SHARE * INTERVAL)
    assert stream.count == 0
    keepalive.send_due(due - EARLY_SHARE * INTERVAL / 2)
    assert stream.count == 1


async def test_removed_streams_are_forgotten() -> None:
    keepalive, active, ended = Keepalive(INTERVAL), Stream(), Stream()
    keepalive.add(active)
    keepalive.add(ended)
    keepalive.remove(ended)
    keepalive.remove(ended)
    keepalive.send_due(soon())
    assert (active.count, ended.count, len(keepalive)) == (1, 0, 1)


async def test_thousand_closed_streams_leave_nothing() -> None:
    keepalive = Keepalive(INTERVAL)
    for _ in range(1000):
        keepalive.add(stream := Stream())
        keepalive.remove(stream)
    assert len(keepalive) == 0


async def test_timer_runs_only_while_streams_exist() -> None:
    keepalive, first, second = Keepalive(0.001), Stream(), Stream()
    for stream in (first, second):
        assert not keepalive.is_running
        keepalive.add(stream)
        await asyncio.wait_for(stream.sent.wait(), 20)
        assert keepalive.is_running
        keepalive.remove(stream)
        while keepalive.is_running:
            await asyncio.sleep(0.001)


async def test_large_batches_of_streams_are_served_without_delay() -> None:
    keepalive, streams = Keepalive(0.001), [Stream() for _ in range(2 * MAX_STREAMS_PER_TURN + 1)]
    for stream in streams:
        keepalive.add(stream)
    async with asyncio.timeout(20):
        await asyncio.gather(*(stream.sent.wait() for stream in streams))


async def test_failing_stream_does_not_stop_others() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context["exception"]))
    keepalive, broken, other = Keepalive(0.001), Broken(), Stream()
    keepalive.add(broken)
    keepalive.add(other)
    await asyncio.wait_for(other.sent.wait(), 20)
    while broken.count < 2:
        await asyncio.sleep(0.001)
    keepalive.remove(broken)
    keepalive.remove(other)
    assert isinstance(failures[0], RuntimeError)
