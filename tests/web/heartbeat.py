"""How long something kept the event loop of this process from everything else, in CPU time: that of a busy machine's
other processes does not count, that of this process's other threads does."""

from __future__ import annotations

import asyncio
import time

TICK_SECONDS = 0.002


class Heartbeat:
    """Ticks in the running loop; *longest* is the most CPU time between two ticks."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.longest = 0.0
        self._last = time.process_time()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        now = time.process_time()
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
