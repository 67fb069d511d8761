"""Memory: compact copies, and blocks that the allocator returns to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tracemalloc

import orjson
import pytest

from doit_mcp.catalog.stores.write_receipts import MemoryReceiptStore
from doit_mcp.process.memory import compact_copy, configure_allocator
from doit_mcp.server.byte_cache import ByteCache
from doit_mcp.server.event_store import MemoryEventStore

COUNT = 400


def message(number: int) -> bytes:
    return orjson.dumps({"number": number})


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("size", [0, 1, 20, 1_000, 100_000])
def test_n4_copy_is_equal_and_small(size: int) -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        copies = [compact_copy(orjson.dumps("x" * size)) for _ in range(COUNT)]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert copies[0] == orjson.dumps("x" * size)
    assert grown < COUNT * (size + 100)


@pytest.mark.requirement("N4")
async def test_n4_small_messages_are_kept_without_their_buffers() -> None:
    """A message of 20 bytes used to keep 4 KB, counted as 276 bytes at most."""
    cache, replays, receipts = ByteCache(1 << 30), MemoryEventStore(), MemoryReceiptStore(per_owner=COUNT)
    log = replays.open_log("s", "1")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(COUNT):
            cache.put(number, message(number))
        cached = tracemalloc.get_traced_memory()[0]
        for number in range(COUNT):
            replays.append_local("s", log, message(number))
        replayed = tracemalloc.get_traced_memory()[0]
        for number in range(COUNT):
            await receipts.claim("o", f"key {number}")
            await receipts.settle("o", f"key {number}", message(number))
        settled = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert cached - before <= cache.size_bytes
    assert replayed - cached <= replays.total_bytes
    assert settled - replayed < COUNT * 2_000


def left_behind(prepare: str) -> int:
    """The bytes that a process keeps of many freed blocks of 1 MB, while memory behind them is in use."""
    code = f"""
from doit_mcp.process.memory import configure_allocator
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
{prepare}
before = resident()
# What is freed first raises glibc's threshold.
warm = bytearray(b"x" * (24 << 20))
del warm
pattern = b"x" * (1 << 20)
blocks = [bytearray(pattern) for _ in range(100)]
# Some fill gaps left by imports; the others are behind the blocks.
last = [bytearray(100_000) for _ in range(30)]
del blocks
print(resident() - before)
"""
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


@pytest.mark.requirement("N4")
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc keeps large blocks")
def test_n4_large_blocks_are_returned_to_the_system() -> None:
    assert left_behind("") > 50 << 20
    assert left_behind("configure_allocator()") < 10 << 20


@pytest.mark.requirement("N4")
def test_n4_changes_nothing_without_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    configure_allocator()
