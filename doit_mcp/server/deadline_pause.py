"""Pauses the deadline of a call while its client is asked."""

from __future__ import annotations

import asyncio


class DeadlinePause:
    """Pauses a deadline while the block runs."""

    def __init__(self, deadline: asyncio.Timeout | None) -> None:
        self._deadline = deadline
        self._remaining_seconds: float | None = None

    def __enter__(self) -> None:
        if self._deadline is not None and (when := self._deadline.when()) is not None:
            self._remaining_seconds = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def __exit__(self, *failure: object) -> None:
        if self._deadline is not None and self._remaining_seconds is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._remaining_seconds)
