"""Stored results have limits, expire, and belong to one owner."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.stores.result_store import MemoryResultStore, ResultLimits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def store(clock: Clock, **bounds: int) -> MemoryResultStore:
    numbers = count()
    return MemoryResultStore(clock, lambda: f"h{next(numbers)}", ResultLimits(**bounds))


async def test_result_belongs_to_its_owner() -> None:
    results = MemoryResultStore()
    handle = await results.put("a", b"data")
    assert handle is not None and len(handle) >= 24
    assert await results.get("a", handle) == b"data"
    assert await results.get("b", handle) is None and await results.get("a", "other") is None


async def test_result_expires() -> None:
    clock = Clock()
    results = store(clock)
    handle = str(await results.put("a", b"data"))
    clock.now = 1799.0
    assert await results.get("a", handle) == b"data"
    clock.now = 1800.0
    assert await results.get("a", handle) is None


async def test_oversized_result_is_not_stored() -> None:
    assert await store(Clock(), result_bytes=3).put("a", b"1234") is None
    assert await store(Clock(), owner_bytes=3).put("a", b"1234") is None
    assert await store(Clock(), total_bytes=3).put("a", b"1234") is None


async def test_owners_oldest_results_are_evicted_first() -> None:
    results = store(Clock(), per_owner=2)
    other = str(await results.put("b", b"x"))
    first, second, third = [str(await results.put("a", b"x")) for _ in range(3)]
    assert await results.get("a", first) is None
    assert await results.get("a", second) == await results.get("a", third) == await results.get("b", other) == b"x"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), max_size=60))
async def test_bounds_hold_for_any_sequence(puts: list[tuple[str, int]]) -> None:
    results = store(Clock(), per_owner=4, owner_bytes=15, total_bytes=25, result_bytes=10)
    handles: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for owner, size in puts:
        handle = await results.put(owner, b"x" * size)
        assert (handle is None) == (size > 10)
        if handle is not None:
            handles[owner].append(handle)
            assert await results.get(owner, handle) == b"x" * size
    held = {
        owner: [await results.get(owner, owned_handle) for owned_handle in owned_handles]
        for owner, owned_handles in handles.items()
    }
    sizes = {
        owner: [len(data) for data in results_of_owner if data is not None] for owner, results_of_owner in held.items()
    }
    assert all(len(result_sizes) <= 4 and sum(result_sizes) <= 15 for result_sizes in sizes.values())
    assert sum(map(sum, sizes.values())) <= 25
