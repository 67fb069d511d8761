"""Stored results: the same contract in memory and in Redis, what Redis can read, and behavior without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from doit_mcp.catalog.stores.result_store import MemoryResultStore, ResultLimits, ResultStore
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor, key_prefix
from doit_mcp.redis_state.result_store import RedisResultStore
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server, wait_for_redis

Make = Callable[..., ResultStore]
LIMITS = ResultLimits(60.0, result_bytes=100, per_owner=3, owner_bytes=200, total=100, total_bytes=10_000)


def of_redis(link: RedisConnection, **bounds: Any) -> RedisResultStore:
    box = Encryptor(SECRET, "results")
    return RedisResultStore(link, box, lambda: ToolError("temporarily unavailable"), replace(LIMITS, **bounds))


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "memory":
        return lambda **bounds: MemoryResultStore(limits=replace(LIMITS, **bounds))
    link = request.getfixturevalue("link")
    return lambda **bounds: of_redis(link, **bounds)


@pytest.mark.requirement("N5")
@pytest.mark.parametrize("bounds", [{"total": 4}, {"total_bytes": 240}])
async def test_n5_total_of_all_owners_is_bounded(make: Make, bounds: dict[str, int]) -> None:
    """The oldest results of any owner are evicted, and each owner's own limit stays."""
    results = make(**bounds)
    handles = [(owner, await results.put(owner, f"{number:03}".encode() * 20)) for number, owner in enumerate("abcdef")]
    results_read = [await results.get(owner, handle or "") for owner, handle in handles]
    assert results_read == [None, None, *(f"{number:03}".encode() * 20 for number in range(2, 6))]


async def test_result_belongs_to_its_owner(make: Make) -> None:
    results = make()
    handle = await results.put("a", b"data")
    assert handle is not None and len(handle) >= 24
    assert await results.get("a", handle) == b"data"
    assert await results.get("b", handle) is None
    for other in ("other", "", "x" * 5000, "\ud800", f"{handle}x"):
        assert await results.get("a", other) is None


async def test_result_expires(make: Make) -> None:
    results = make(ttl_seconds=0.05)
    handle = str(await results.put("a", b"data"))
    while await results.get("a", handle) is not None:
        await asyncio.sleep(0.005)


async def test_oversized_result_is_not_stored(make: Make) -> None:
    assert await make(result_bytes=3).put("a", b"1234") is None
    assert await make(owner_bytes=3).put("a", b"1234") is None
    assert await make(owner_bytes=4).put("a", b"1234") is not None


@pytest.mark.parametrize(("bounds", "size"), [({"per_owner": 2}, 1), ({"owner_bytes": 5}, 2)])
async def test_owners_oldest_results_are_evicted_first(make: Make, bounds: dict[str, int], size: int) -> None:
    results, data = make(**bounds), b"x" * size
    other = str(await results.put("b", data))
    first, second, third = [str(await results.put("a", data)) for _ in range(3)]
    assert await results.get("a", first) is None
    for owner, handle in (("a", second), ("a", third), ("b", other)):
        assert await results.get(owner, handle) == data


async def test_replicas_share_results_unreadable_to_redis(link: RedisConnection, redis: Server) -> None:
    handle = str(await of_redis(link).put("the-owner", b"the secret rows"))
    other = open_connection(redis.url, key_prefix(SECRET))
    try:
        assert await of_redis(other).get("the-owner", handle) == b"the secret rows"
    finally:
        await other.close()
    with redis.client() as client:
        keys = client.keys()
        assert len(keys) == 3 and all(key.startswith(key_prefix(SECRET).encode()) for key in keys)
        stored = b" ".join([*keys, *(client.dump(key) for key in keys)])
        assert all(client.pttl(key) > 0 for key in keys)
        for word in (b"owner", b"secret", b"rows", handle.encode()):
            assert word not in stored
        # Foreign data in Redis is not accepted as a result.
        for key in client.keys("*:result:*"):
            client.set(key, b"{}")
    assert await of_redis(link).get("the-owner", handle) is None


async def test_nothing_is_stored_without_redis_and_callers_get_an_error(link: RedisConnection, redis: Server) -> None:
    results = of_redis(link)
    handle = str(await results.put("a", b"data"))
    redis.pause()
    assert await results.put("a", b"more") is None
    with pytest.raises(ToolError, match="temporarily unavailable"):
        await results.get("a", handle)
    redis.resume()
    await wait_for_redis(link)
    assert await results.get("a", handle) == b"data"
    redis.kill()
    with pytest.raises(ToolError, match="temporarily unavailable"):
        await results.get("a", handle)
    redis.start()
    await wait_for_redis(link)
    assert await results.get("a", handle) is None
    assert await results.put("a", b"more") is not None
