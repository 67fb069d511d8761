"""Outbox: one reader, any number of writers who never wait; who falls behind is cut off (L3)."""

from __future__ import annotations

import asyncio

from doit_mcp.server.outbox import MOST_BYTES, MOST_MESSAGES, Outbox


async def drained(outbox: Outbox) -> list[bytes]:
    found = []
    while (data := await outbox.get()) is not None:
        found.append(data)
    return found


async def test_in_order_to_the_end() -> None:
    outbox = Outbox()
    reading = asyncio.create_task(drained(outbox))
    for number in range(1000):
        outbox.put(str(number).encode())
        if number % 100 == 0:
            await asyncio.sleep(0)
    outbox.close()
    outbox.put(b"too late")
    assert await reading == [str(number).encode() for number in range(1000)]


async def test_what_waits_is_read_after_the_end() -> None:
    outbox = Outbox()
    outbox.put(b"a")
    outbox.close()
    assert outbox.closed and await drained(outbox) == [b"a"]


async def test_a_reader_who_falls_behind_is_cut_off() -> None:
    by_count, by_size = Outbox(), Outbox()
    for _ in range(MOST_MESSAGES + 1):
        by_count.put(b"x")
    for _ in range(3):
        by_size.put(b"x" * (MOST_BYTES // 2 + 1))
    assert by_count.closed and by_size.closed
    assert await drained(by_count) == [] and await drained(by_size) == []
