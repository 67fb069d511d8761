"""What the process does about memory that Python and its libraries would hold without using it."""

from __future__ import annotations

import ctypes

# Parameters of glibc's mallopt: M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
MALLOC_OPTIONS = {-8: 1, -3: 128 << 10, -1: 128 << 10}


def compact_copy(data: bytes) -> bytes:
    """A copy of *data* that takes no more memory than its size, for what is kept.

    orjson returns its whole buffer: a message of 20 bytes takes 4 KB, one of 20 KB takes 250 KB.
    """
    return bytes(memoryview(data))


def configure_allocator() -> None:
    """To be called at the start of a process: large blocks go back to the system when they are freed.

    glibc raises its threshold for such blocks with each one that is freed, up to 32 MB, and gives each thread an arena
    of its own, so what large requests took stays with the process. Elsewhere nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # Not glibc.
        return
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    for parameter, value in MALLOC_OPTIONS.items():
        mallopt(parameter, value)
