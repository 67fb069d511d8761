"""Memory of the process: compact copies of stored data, and options of the allocator and the garbage collector."""

from __future__ import annotations

import ctypes
import gc

# Parameters of glibc's mallopt: M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
MALLOC_OPTIONS = {-8: 1, -3: 128 << 10, -1: 128 << 10}
# Container allocations before the garbage collector looks for cycles among new objects, and how many such collections
# precede one of older objects. Two calls reach Python's default of 700 allocations.
GC_THRESHOLDS = (20_000, 20, 20)


def compact_copy(data: bytes) -> bytes:
    """Return a copy of *data* that takes no more memory than its size. Use it for data that is stored.

    orjson returns its whole buffer: a message of 20 bytes takes 4 KB, and one of 20 KB takes 250 KB.
    """
    return bytes(memoryview(data))


def configure_allocator() -> None:
    """Have glibc return large blocks to the system when they are freed. Call this at the start of a process.

    By default, glibc raises its threshold for such blocks, up to 32 MB, whenever one is freed, and gives each thread an
    arena, so the process keeps the memory of large requests. Other C libraries are not changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # Not glibc.
        return
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    for parameter, value in MALLOC_OPTIONS.items():
        mallopt(parameter, value)


def collect_less_often() -> None:
    """Have the garbage collector run less often. Call this before the modules are loaded.

    With the default thresholds it runs 250 times while they load, and finds almost nothing. Calls that wait for the API
    leave nothing to collect either.
    """
    gc.set_threshold(*GC_THRESHOLDS)
