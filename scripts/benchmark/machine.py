"""What the operating system knows: cores, the CPU time and memory of a process, how busy a core was. Linux only."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# CPUCLOCK_SCHED of the kernel: the time for which the scheduler ran a process.
CPU_CLOCK = 2
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core that servers run on and the one that the load comes from; None for both where there are no two."""

    server: int | None = None
    load: int | None = None


def choose_cores() -> Cores:
    """Two cores that this process may use: with one, client and server would take each other's time."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) > 1 else Cores()


def pin_to_core(core: int | None) -> Callable[[], None] | None:
    """What a child process runs before its program, so that not even its start happens elsewhere."""
    if core is None:
        return None

    def stay() -> None:
        os.sched_setaffinity(0, {core})

    return stay


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads, to the nanosecond. Raises OSError if there is no such process."""
    # What clock_getcpuclockid(3) returns. /proc counts in steps of 10 ms, in which a short window may show nothing.
    return time.clock_gettime((~pid << 3) | CPU_CLOCK)


def resident_bytes(pid: int) -> int:
    """Bytes of memory that a process occupies (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def busy_seconds(core: int) -> float:
    """Seconds for which a core has worked so far, for anybody."""
    with open("/proc/stat") as lines:
        for line in lines:
            name, *numbers = line.split()
            if name == f"cpu{core}":
                user, nice, system, _idle, _waiting, irq, soft, stolen = map(int, numbers[:8])
                return (user + nice + system + irq + soft + stolen) / TICKS_PER_SECOND
    return 0.0


def raise_file_limit() -> int:
    """Raise the limit on open files as far as we may; children inherit it. Returns the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The result of *work*, on uvloop where that is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None  # type: ignore[assignment]  # asyncio's own loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
