"""Session records in Redis: owners, versions, lifetimes, limits, holders."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor
from doit_mcp.redis_state.session_records import SessionRecords
from doit_mcp.resilience.unavailable import StateUnavailable
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, wait_for_redis


def session_records(link: RedisConnection, replica: str = "me", **bounds: Any) -> SessionRecords:
    return SessionRecords(link, Encryptor(SECRET, "records"), "thing", replica, **({"ttl": 60} | bounds))


async def test_fields_and_versions(link: RedisConnection) -> None:
    mine, other = session_records(link), session_records(link, "other")
    assert await mine.create("i", "a", {"x": 1, "y": [None]}) == []
    record = await other.find("i", "a")
    assert record is not None and record.holder_alive and (record.holder, record.version) == ("", 1)
    assert record.fields == {"x": 1, "y": [None], "id": "i"}
    assert await other.update("i", "a", {"x": 2, "z": 3}, ["y"]) == 2
    assert await mine.update("i", "a", {}, ["z"]) == 3
    newer = await mine.find("i", "a", 1)
    assert newer is not None and newer.fields == {"x": 2, "id": "i"}
    same = await mine.find("i", "a", 3)
    assert same is not None and same.fields is None
    assert await mine.find("i", "b") is None and await mine.find("j", "a") is None
    assert await mine.delete("i", "a") and not await mine.delete("i", "a")
    assert await mine.find("i", "a") is None and await mine.update("i", "a", {"x": 1}) is None


async def test_owners_least_recently_used_sessions_are_evicted(link: RedisConnection) -> None:
    records = session_records(link, per_owner=2)
    for id in ("1", "2"):
        assert await records.create(id, "a", {}) == []
        await asyncio.sleep(0.002)
    assert await records.create("other", "b", {}) == []
    assert await records.find("1", "a") is not None
    assert await records.create("3", "a", {}) == ["2"]
    assert await records.find("2", "a") is None and await records.find("other", "b") is not None


async def test_records_expire_unless_used_or_kept_alive(link: RedisConnection) -> None:
    records = session_records(link, ttl=0.3)
    for id in ("idle", "used", "kept"):
        await records.create(id, "a", {})
    while await records.find("idle", "a", renew=False) is not None:
        assert await records.find("used", "a") is not None
        assert await records.renew([("kept", "a")]) == [True]
    assert await records.find("used", "a") is not None and await records.find("kept", "a") is not None
    assert await records.renew([("idle", "a"), ("used", "a")]) == [False, True]
    # Expired sessions do not count.
    assert await session_records(link, ttl=0.3, per_owner=3).create("new", "a", {}) == []


async def test_operations_that_require_the_holder(link: RedisConnection, redis: Server) -> None:
    mine, other = session_records(link), session_records(link, "other")
    await mine.create("i", "a", {}, pinned=True)
    with redis.client() as client:
        client.set(link.key("replica", "me"), 1)
        seen_record = await other.find("i", "a")
        assert seen_record is not None and seen_record.holder_alive and seen_record.holder == "me"
        assert await other.renew([("i", "a")]) == [True]
        client.delete(link.key("replica", "me"))
    dead = await other.find("i", "a")
    assert dead is not None and not dead.holder_alive and await other.renew([("i", "a")]) == [False]
    # The holder knows that it is alive, whatever other replicas record.
    record = await mine.find("i", "a")
    assert record is not None and record.holder_alive and await mine.renew([("i", "a")]) == [True]


async def test_foreign_session_is_not_found(link: RedisConnection, redis: Server) -> None:
    records = session_records(link)
    await records.create("i", "a", {"x": 1})
    with redis.client() as client:
        (key,) = client.keys("*:thing:*")
        client.hset(key, "f:x", client.hget(key, "f:id") or b"")
    assert await records.find("i", "a") is None


async def test_without_redis(link: RedisConnection, redis: Server) -> None:
    records = session_records(link)
    redis.kill()
    with pytest.raises(StateUnavailable, match="temporarily unavailable"):
        await records.find("i", "a")
    assert link.unavailable
    redis.start()
    await wait_for_redis(link)
    assert await records.find("i", "a") is None and not link.unavailable
