"""Measures how long the event loop of this process was blocked, in CPU time: other processes of a busy machine do
not count, other threads of this process do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TICK_SECONDS = 0.002


class Heartbeat:
    """Ticks in the running loop. *longest* is the most CPU time between two ticks, by *clock*; ``time.thread_time``
    measures the thread of the event loop alone."""

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
        """Return the longest interval since the last call, and reset it."""
        longest, self.longest = self.longest, 0.0
        return longest

    def stop(self) -> None:
        self._timer.cancel()
