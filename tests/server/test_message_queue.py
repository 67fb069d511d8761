"""Message queue: one reader, and any number of writers that never wait; a reader that falls behind is disconnected."""

from __future__ import annotations

import asyncio

import pytest

from doit_mcp.server.message_queue import MAX_BYTES, MAX_MESSAGES, MessageQueue


async def drain(outbox: MessageQueue) -> list[bytes]:
    messages = []
    while (data := await outbox.get()) is not None:
        messages.append(data)
    return messages


async def test_delivers_in_order_until_closed() -> None:
    outbox = MessageQueue()
    reading = asyncio.create_task(drain(outbox))
    for number in range(1000):
        outbox.put(str(number).encode())
        if number % 100 == 0:
            await asyncio.sleep(0)
    outbox.close()
    outbox.put(b"too late")
    assert await reading == [str(number).encode() for number in range(1000)]


async def test_queued_messages_are_read_after_close() -> None:
    outbox = MessageQueue()
    outbox.put(b"a")
    outbox.close()
    assert outbox.closed and await drain(outbox) == [b"a"]


@pytest.mark.requirement("L3")
async def test_slow_reader_is_disconnected() -> None:
    by_count, by_size = MessageQueue(), MessageQueue()
    for _ in range(MAX_MESSAGES + 1):
        by_count.put(b"x")
    for _ in range(3):
        by_size.put(b"x" * (MAX_BYTES // 2 + 1))
    assert by_count.closed and by_size.closed
    assert await drain(by_count) == [] and await drain(by_size) == []


async def test_bypasses_an_empty_queue() -> None:
    """The order is kept: nothing overtakes queued messages, and nothing is accepted after the end."""
    outbox, received = MessageQueue(), list[bytes]()
    willing = True

    def at_once(data: bytes) -> bool:
        if willing:
            received.append(data)
        return willing

    outbox.put(b"1")
    outbox.try_send = at_once
    outbox.put(b"2")
    assert (await outbox.get(), await outbox.get(), received) == (b"1", b"2", [])
    outbox.put(b"3")
    willing = False
    outbox.put(b"4")
    willing = True
    outbox.put(b"5")
    outbox.close()
    outbox.put(b"6")
    assert received == [b"3"] and await drain(outbox) == [b"4", b"5"]


async def test_canceled_reader_is_not_woken() -> None:
    outbox = MessageQueue()
    reading = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    outbox.put(b"a")
    outbox.put(b"b")
    outbox.close()
    assert await drain(outbox) == [b"a", b"b"]
