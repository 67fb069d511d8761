"""Event logs and task records in Redis: order, limits, expiry, and foreign data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from doit_mcp.redis_state import event_logs as module
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.redis_state.event_logs import EventLogs
from doit_mcp.redis_state.task_records import TaskRecords
from doit_mcp.redis_state.write_queue import WriteQueue
from doit_mcp.server.event_store import EVENT_OVERHEAD_BYTES, LOG_OVERHEAD_BYTES
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server


@pytest.fixture
async def sender(link: RedisConnection) -> AsyncIterator[WriteQueue]:
    queue = WriteQueue(link)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def event_logs(link: RedisConnection, sender: WriteQueue, most: int = 5) -> EventLogs:
    return EventLogs(link, Encryptor(SECRET, "logs"), sender, "me", ttl=60, max_events=most)


async def test_messages_are_ordered_and_the_log_ends(link: RedisConnection, sender: WriteQueue) -> None:
    logs = event_logs(link, sender)
    assert await logs.read("s", "1", 0) is None
    await logs.create("s", "1", [7])
    begun = await logs.read("s", "1", 0)
    assert begun is not None
    assert (begun.first, begun.last, begun.complete, begun.metadata, begun.holder) == (0, 0, False, [7], "me")
    assert not begun.holder_alive and begun.messages == []
    for number, data in ((1, b"one"), (2, b"two")):
        await logs.add("s", "1", number, data, last=False)
    # A command is repeated if the response of Redis was lost.
    await logs.add("s", "1", 2, b"two again", last=False)
    await logs.add("s", "1", 2, b"", last=True)
    await sender.flush()
    page = await logs.read("s", "1", 1)
    assert page is not None and page.messages == [(2, b"two")] and page.complete and page.last == 2
    end = await logs.read("s", "1", 2)
    assert end is not None and end.messages == [] and end.complete
    assert await logs.read("other", "1", 0) is None
    logs.delete("s", "1")
    await sender.flush()
    assert await logs.read("s", "1", 0) is None


async def test_long_log_drops_its_oldest_messages(link: RedisConnection, sender: WriteQueue) -> None:
    logs = event_logs(link, sender, most=4)
    await logs.create("s", "1", [])
    for number in range(1, 10):
        await logs.add("s", "1", number, b"x", last=False)
    await sender.flush()
    page = await logs.read("s", "1", 0)
    assert page is not None and (page.first, page.last) == (5, 9)
    assert [number for number, _ in page.messages] == [5, 6, 7, 8, 9]


async def test_foreign_entries_are_ignored(link: RedisConnection, sender: WriteQueue, redis: Server) -> None:
    logs, notes = event_logs(link, sender), TaskRecords(link, Encryptor(SECRET, "notes"), sender, "note", "me")
    await logs.create("s", "1", [])
    await logs.add("s", "1", 1, b"x", last=False)
    notes.write("n", {"a": 1}, 60)
    await notes.wait_until_saved(5)
    note = await notes.read("n")
    assert note is not None and (note.value, note.holder, note.holder_alive) == ({"a": 1}, "me", False)
    with redis.client() as client:
        (key,) = client.keys("*:note:*")
        (log,) = (name for name in client.keys("*:log:*") if not name.endswith(b":about"))
        assert client.pttl(log) > 0 and client.pttl(key) > 0
        client.xadd(log, {"m": "forged", "l": "1", "h": "me"}, id="2-0")
        client.hset(key, "v", "forged")
    assert await logs.read("s", "1", 0) is None and await notes.read("n") is None
    notes.delete("n")
    await sender.flush()
    assert await notes.read("n") is None


async def test_log_starts_without_redis(
    link: RedisConnection,
    sender: WriteQueue,
    redis: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing waits long; the log is written once Redis is available."""
    monkeypatch.setattr(module, "OPEN_TIMEOUT_SECONDS", 0.05)
    logs, notes = event_logs(link, sender), TaskRecords(link, Encryptor(SECRET, "notes"), sender, "note", "me")
    redis.pause()
    await logs.create("s", "1", [])
    notes.write("n", 1, 60)
    await notes.wait_until_saved(0.05)
    assert "other replicas see new tasks only when" in caplog.text
    redis.resume()
    await asyncio.wait_for(sender.flush(), 20)
    assert await logs.read("s", "1", 0) is not None and await notes.read("n") is not None


@pytest.mark.requirement("N5")
async def test_n5_shared_log_context_is_stored_once(link: RedisConnection, sender: WriteQueue, redis: Server) -> None:
    """The ids of a batch's requests can have 12.8 KB; they are stored once."""
    logs = event_logs(link, sender, most=512)
    ids = [f"{number:0256}" for number in range(50)]
    with redis.client() as client:
        await logs.create("s", "1", ids)
        await logs.add("s", "1", 1, b"x" * 200, last=False)
        await sender.flush()
        before = client.info("memory")["used_memory_dataset"]
        for number in range(2, 302):
            await logs.add("s", "1", number, b"x" * 200, last=False)
        await sender.flush()
        grown = client.info("memory")["used_memory_dataset"] - before
        assert grown < 300 * (200 + EVENT_OVERHEAD_BYTES)
        page = await logs.read("s", "1", 300)
        assert page is not None and page.metadata == ids and page.messages == [(301, b"x" * 200)]
        lives = [client.pttl(key) for key in client.keys("*:log:*")]
        assert len(lives) == 2 and min(lives) > 0
        logs.delete("s", "1")
        await sender.flush()
        assert client.keys("*:log:*") == []


@pytest.mark.requirement("N5")
async def test_n5_small_logs_take_no_more_than_is_counted(
    link: RedisConnection, sender: WriteQueue, redis: Server
) -> None:
    """Redis allocates kilobytes for a log before its first message."""
    logs = event_logs(link, sender)
    with redis.client() as client:
        await logs.create("s", "first", [0])
        await sender.flush()
        before = client.info("memory")["used_memory_dataset"]
        for number in range(200):
            await logs.create("s", str(number), [number])
        grown = client.info("memory")["used_memory_dataset"] - before
    assert grown < 200 * 1.1 * LOG_OVERHEAD_BYTES
