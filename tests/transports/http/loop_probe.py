"""How long something kept the event loop of this process from everything else, in CPU time: that of a busy machine's
other processes does not count, that of this process's other threads does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TICK_SECONDS = 0.002


class Heartbeat:
    """Ticks in the running loop; *longest* is the most CPU time between two ticks, by *clock*: ``time.thread_time`` is
    that of the event loop's thread alone."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._loop, self._clock = asyncio.get_running_loop(), clock
        self.longest = 0.0
        self._last = clock()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        now = self._clock()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def take(self) -> float:
        """The longest since the last time."""
        longest, self.longest = self.longest, 0.0
        return longest

    def stop(self) -> None:
        """Tick no more."""
        self._timer.cancel()
