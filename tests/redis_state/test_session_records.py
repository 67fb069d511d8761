"""Records in Redis: owners, versions, lives, bounds, holders."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doit_mcp.redis_state.connection import Link
from doit_mcp.redis_state.encryption import Box
from doit_mcp.redis_state.errors import Away
from doit_mcp.redis_state.session_records import Records
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, back


def kept(link: Link, replica: str = "me", **bounds: Any) -> Records:
    return Records(link, Box(SECRET, "records"), "thing", replica, **({"life": 60} | bounds))


async def test_fields_and_versions(link: Link) -> None:
    mine, other = kept(link), kept(link, "other")
    assert await mine.open("i", "a", {"x": 1, "y": [None]}) == []
    found = await other.find("i", "a")
    assert found is not None and found.alive and (found.holder, found.version) == ("", 1)
    assert found.fields == {"x": 1, "y": [None], "id": "i"}
    assert await other.change("i", "a", {"x": 2, "z": 3}, ["y"]) == 2
    assert await mine.change("i", "a", {}, ["z"]) == 3
    newer = await mine.find("i", "a", 1)
    assert newer is not None and newer.fields == {"x": 2, "id": "i"}
    same = await mine.find("i", "a", 3)
    assert same is not None and same.fields is None
    assert await mine.find("i", "b") is None and await mine.find("j", "a") is None
    assert await mine.close("i", "a") and not await mine.close("i", "a")
    assert await mine.find("i", "a") is None and await mine.change("i", "a", {"x": 1}) is None


async def test_an_owners_least_used_make_room(link: Link) -> None:
    records = kept(link, per_owner=2)
    for id in ("1", "2"):
        assert await records.open(id, "a", {}) == []
        await asyncio.sleep(0.002)
    assert await records.open("other", "b", {}) == []
    assert await records.find("1", "a") is not None
    assert await records.open("3", "a", {}) == ["2"]
    assert await records.find("2", "a") is None and await records.find("other", "b") is not None


async def test_lives_end_unless_used_or_kept(link: Link) -> None:
    records = kept(link, life=0.3)
    for id in ("idle", "used", "kept"):
        await records.open(id, "a", {})
    while await records.find("idle", "a", use=False) is not None:
        assert await records.find("used", "a") is not None
        assert await records.keep([("kept", "a")]) == [True]
    assert await records.find("used", "a") is not None and await records.find("kept", "a") is not None
    assert await records.keep([("idle", "a"), ("used", "a")]) == [False, True]
    # What ended by itself takes no room.
    assert await kept(link, life=0.3, per_owner=3).open("new", "a", {}) == []


async def test_what_needs_its_holder(link: Link, redis: Server) -> None:
    mine, other = kept(link), kept(link, "other")
    await mine.open("i", "a", {}, held=True)
    with redis.client() as client:
        client.set(link.key("replica", "me"), 1)
        seen = await other.find("i", "a")
        assert seen is not None and seen.alive and seen.holder == "me"
        assert await other.keep([("i", "a")]) == [True]
        client.delete(link.key("replica", "me"))
    dead = await other.find("i", "a")
    assert dead is not None and not dead.alive and await other.keep([("i", "a")]) == [False]
    # Whatever others think of it, the holder knows that it lives.
    own = await mine.find("i", "a")
    assert own is not None and own.alive and await mine.keep([("i", "a")]) == [True]


async def test_what_is_not_ours_is_not_found(link: Link, redis: Server) -> None:
    records = kept(link)
    await records.open("i", "a", {"x": 1})
    with redis.client() as client:
        (key,) = client.keys("*:thing:*")
        client.hset(key, "f:x", client.hget(key, "f:id") or b"")
    assert await records.find("i", "a") is None


async def test_without_redis(link: Link, redis: Server) -> None:
    records = kept(link)
    redis.kill()
    with pytest.raises(Away, match="temporarily unavailable"):
        await records.find("i", "a")
    assert link.away
    redis.start()
    await back(link)
    assert await records.find("i", "a") is None and not link.away
