"""How long reports take in the sandbox: the same for synchronous requests and for runs in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

EDGE_SECONDS = 120.0
"""Seconds after which the proxy in front of the API ends a request."""
MAX_REPORT_SECONDS = 3600.0
MAX_RESULT_ROWS = 200_000


@dataclass(slots=True)
class ReportTiming:
    """The time that each report takes, in *seconds*, and the most rows of a run. Both can change at any time.

    *sleep* waits; a faster one makes time pass faster, together with the clock of the API.
    """

    seconds: float = 0.0
    max_rows: int = MAX_RESULT_ROWS
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def wait(self) -> bool:
        """Take the time of a synchronous request. Return False if the proxy ended it."""
        if self.seconds:
            await self.sleep(min(self.seconds, EDGE_SECONDS))
        return self.seconds < EDGE_SECONDS
