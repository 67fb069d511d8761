"""The write queue: commands run in order, through outages; it is limited in size and never gets stuck."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from doit_mcp.redis_state import write_queue as module
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.write_queue import WriteQueue
from tests.redis_state.redis_server import Server


@asynccontextmanager
async def running(sender: WriteQueue) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def numbers(redis: Server, key: str) -> list[int]:
    with redis.client() as client:
        return [int(item) for item in client.lrange(key, 0, -1)]


async def test_writes_keep_their_order_through_an_outage(link: RedisConnection, redis: Server) -> None:
    sender, key = WriteQueue(link), link.key("list")
    async with running(sender):
        for number in range(300):
            assert sender.put(("RPUSH", key, number))
        await sender.flush()
        assert numbers(redis, key) == list(range(300)) and len(sender) == 0
        redis.kill()
        for number in range(5):
            sender.put(("RPUSH", key, number))
        flushing = asyncio.create_task(sender.flush())
        await asyncio.wait([flushing], timeout=0.2)
        assert not flushing.done() and len(sender) == 5
        redis.start()
        await asyncio.wait_for(flushing, 20)
    assert numbers(redis, key) == list(range(5))


async def test_queue_is_bounded_and_patient_writers_wait(
    link: RedisConnection, redis: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_COMMANDS", 2)
    sender, key = WriteQueue(link), link.key("list")
    assert [sender.put(("RPUSH", key, number)) for number in range(4)] == [True, True, False, False]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    waiting = asyncio.create_task(sender.wait_for_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    async with running(sender):
        await asyncio.wait_for(waiting, 20)
        assert sender.put(("RPUSH", key, 4))
        await sender.flush()
    assert numbers(redis, key) == [0, 1, 4]


async def test_permanently_rejected_write_does_not_block_the_queue(
    link: RedisConnection, redis: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 3)
    sender, key = WriteQueue(link), link.key("list")
    sender.put(("NO-SUCH-COMMAND", "secret words"))
    sender.put(("RPUSH", key, 1))
    async with running(sender):
        await asyncio.wait_for(sender.flush(), 20)
    assert numbers(redis, key)[-1] == 1
    assert "keeps refusing" in caplog.text and "secret words" not in caplog.text


async def test_flush_gives_up_during_an_outage(link: RedisConnection, redis: Server) -> None:
    sender, key = WriteQueue(link), link.key("list")
    sender.put(("RPUSH", key, 1))
    assert not await sender.try_flush(0.01)
    async with running(sender):
        assert await sender.try_flush(10)
        redis.kill()
        sender.put(("RPUSH", key, 2))
        while not link.unavailable:
            await asyncio.sleep(0.005)
        assert not await sender.try_flush(1_000)
        redis.start()
        await asyncio.wait_for(sender.flush(), 20)
        assert await sender.try_flush(0)
