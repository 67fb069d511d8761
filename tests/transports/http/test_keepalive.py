"""Ticker: one timer for all streams, each in its turn; no timer where there are none."""

from __future__ import annotations

import asyncio
from typing import Any

from doit_mcp.transports.http.keepalive import GROUPS, Keepalive


class Stream:
    """Counts its beats."""

    def __init__(self) -> None:
        self.beats = 0
        self.beaten = asyncio.Event()

    def send_keepalive(self) -> None:
        self.beats += 1
        self.beaten.set()


class Broken(Stream):
    """Fails at each beat."""

    def send_keepalive(self) -> None:
        super().send_keepalive()
        raise RuntimeError("out of order")


async def test_each_beats_once_in_a_round() -> None:
    ticker, streams = Keepalive(3600), [Stream() for _ in range(5 * GROUPS)]
    for stream in streams:
        ticker.add(stream)
    for turn in range(GROUPS):
        ticker.send_to_next_group()
        assert sum(stream.beats for stream in streams) == 5 * (turn + 1), "a turn is a small part of all"
    assert {stream.beats for stream in streams} == {1} and len(ticker) == len(streams)


async def test_ended_streams_are_forgotten() -> None:
    ticker, kept, ended = Keepalive(3600), Stream(), Stream()
    ticker.add(kept)
    ticker.add(ended)
    ticker.remove(ended)
    ticker.remove(ended)
    for _ in range(GROUPS):
        ticker.send_to_next_group()
    assert (kept.beats, ended.beats, len(ticker)) == (1, 0, 1)


async def test_a_new_stream_takes_the_place_of_an_old_one() -> None:
    ticker = Keepalive(3600)
    for _ in range(1000):
        ticker.add(stream := Stream())
        ticker.remove(stream)
    assert len(ticker) == 0


async def test_the_timer_runs_while_there_are_streams() -> None:
    ticker, first, second = Keepalive(0.001), Stream(), Stream()
    for stream in (first, second):
        assert not ticker.is_running
        ticker.add(stream)
        await asyncio.wait_for(stream.beaten.wait(), 20)
        assert ticker.is_running
        ticker.remove(stream)
        while ticker.is_running:
            await asyncio.sleep(0.001)


async def test_one_that_fails_stops_nobody_for_good() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context["exception"]))
    ticker, broken, other = Keepalive(0.001), Broken(), Stream()
    ticker.add(broken)
    ticker.add(other)
    await asyncio.wait_for(other.beaten.wait(), 20)
    while broken.beats < 2:
        await asyncio.sleep(0.001)
    ticker.remove(broken)
    ticker.remove(other)
    assert isinstance(failures[0], RuntimeError)
