"""A clock for tests that jumps to the end of the next wait when nothing else happens, so that minutes pass at once."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

TICK_SECONDS = 0.005
QUIET_TICKS = 3


class VirtualTime:
    """The clock and the sleep function. Time passes only during sleeps."""

    def __init__(self) -> None:
        self.now = time.time()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._slept = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has advanced by *seconds*."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slept += 1
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), woken))
        await woken

    @asynccontextmanager
    async def running(self, activity: Callable[[], object]) -> AsyncIterator[None]:
        """Let time pass during the block, whenever neither the sleepers nor *activity* have changed for some ticks."""
        driver = asyncio.create_task(self._advance(activity))
        try:
            yield
        finally:
            driver.cancel()

    async def _advance(self, activity: Callable[[], object]) -> None:
        quiet, before = 0, None
        while True:
            await asyncio.sleep(TICK_SECONDS)
            seen = (self._slept, activity())
            quiet = quiet + 1 if seen == before else 0
            before = seen
            if quiet >= QUIET_TICKS and self.wake_next():
                quiet = 0

    def wake_next(self) -> bool:
        """Advance the clock to the end of the next wait; return False without one."""
        while self._sleepers:
            when, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.now = max(self.now, when)
                woken.set_result(None)
                return True
        return False
