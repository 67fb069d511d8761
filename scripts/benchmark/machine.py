"""Operating system measurements: cores, CPU time and memory of processes, load of a core. Linux only."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# CPUCLOCK_SCHED of the kernel: the time for which the scheduler ran a process.
CPU_CLOCK = 2
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of the servers and of the load; None for both with fewer than two cores."""

    server: int | None = None
    load: int | None = None


def choose_cores() -> Cores:
    """Choose two cores available to this process; with one, client and server would compete for it."""
    available = sorted(os.sched_getaffinity(0))
    return Cores(available[0], available[1]) if len(available) > 1 else Cores()


def pin_to_core(core: int | None) -> Callable[[], None] | None:
    """A function that pins a child process to *core* before its program starts."""
    if core is None:
        return None

    def pin() -> None:
        os.sched_setaffinity(0, {core})

    return pin


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads, in nanosecond resolution. Raises OSError if it does not exist."""
    # The value of clock_getcpuclockid(3). /proc counts in steps of 10 ms, too coarse for a short window.
    return time.clock_gettime((~pid << 3) | CPU_CLOCK)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process in bytes (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def busy_seconds(core: int) -> float:
    """The seconds for which a core has been busy, with any process."""
    with open("/proc/stat") as lines:
        for line in lines:
            name, *numbers = line.split()
            if name == f"cpu{core}":
                user, nice, system, _idle, _waiting, irq, soft, stolen = map(int, numbers[:8])
                return (user + nice + system + irq + soft + stolen) / TICKS_PER_SECOND
    return 0.0


def raise_file_limit() -> int:
    """Raise the limit on open files to the hard limit, also for child processes; returns it."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    return hard_limit


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run *work* and return its result, on uvloop if it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None  # type: ignore[assignment]  # asyncio's own loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
