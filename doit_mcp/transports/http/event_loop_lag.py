"""Event loop lag: measures how late timers run, which is how long something blocked the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from aiohttp import web

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.1
LARGE_DELAY_SECONDS = 0.5
"""Minimum delay that is logged. Requests may block the loop for 0.1 s, and a busy machine can add to that."""
WARNING_INTERVAL_SECONDS = 60.0
"""Minimum time between two warnings."""


class LagMonitor:
    """Sets a timer repeatedly and calls *observe* with the seconds by which each one was late."""

    __slots__ = ("_due", "_loop", "_observe", "_quiet_until", "_timer", "_unlogged")

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._quiet_until = 0.0
        self._unlogged = 0
        self._schedule()

    def _schedule(self) -> None:
        self._due = self._loop.time() + INTERVAL_SECONDS
        self._timer = self._loop.call_at(self._due, self._measure)

    def _measure(self) -> None:
        # The loop may run a timer early by its clock's resolution.
        delay = max(0.0, self._loop.time() - self._due)
        self._observe(delay)
        if delay >= LARGE_DELAY_SECONDS:
            self._warn(delay)
        self._schedule()

    def _warn(self, delay: float) -> None:
        if self._loop.time() < self._quiet_until:
            self._unlogged += 1
            return
        extra = {"delay_ms": round(delay * 1000), "unlogged_delays": self._unlogged}
        log.warning("the event loop was blocked", extra=extra)
        self._quiet_until = self._loop.time() + WARNING_INTERVAL_SECONDS
        self._unlogged = 0

    def stop(self) -> None:
        """Stop the timer."""
        self._timer.cancel()


def monitor_lag(observe: Callable[[float], None]) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return an entry for an application's ``cleanup_ctx`` that measures lag while the application runs."""

    async def run(app: web.Application) -> AsyncIterator[None]:
        monitor = LagMonitor(observe)
        yield
        monitor.stop()

    return run
