"""How many calls may run at once: in all, and for one principal, so that nobody takes every place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LimitExceeded(Exception):
    """No place is free; *server_wide* tells whether the whole server is full or just this principal's share.

    *retry_after_seconds* are the seconds after which it is worth while to come again.
    """

    def __init__(self, server_wide: bool, message: str = "", retry_after_seconds: int = 2) -> None:
        usual = (
            "The server is busy; try again in a moment"
            if server_wide
            else "Too many calls are in flight for this user; wait for one to finish"
        )
        super().__init__(message or usual)
        self.server_wide, self.retry_after_seconds = server_wide, retry_after_seconds


class ConcurrencyLimiter:
    """Counts places; holds nothing for those who have none in use. *on_release* hears whose place is free again."""

    def __init__(self, *, max_per_owner: int, max_total: int) -> None:
        self._max_per_owner, self._max_total = max_per_owner, max_total
        self._held: dict[str, int] = {}
        self.in_use = 0
        self.on_release: Callable[[str], None] | None = None
        self._idle = asyncio.Event()

    def acquire(self, owner: str) -> None:
        """Take a place of *owner*; raises :class:`Full` at once when there is none."""
        taken = self._held.get(owner, 0)
        if taken >= self._max_per_owner:
            raise LimitExceeded(server_wide=False)
        if self.in_use >= self._max_total:
            raise LimitExceeded(server_wide=True)
        self._held[owner] = taken + 1
        self.in_use += 1

    def acquire_up_to(self, owner: str, wanted: int) -> int:
        """Take as many places of *owner* as are free, at most as many as are *wanted*; raises :class:`Full` if none is."""
        self.check_available(owner)
        places = min(wanted, self._max_per_owner - self.held_by(owner), self._max_total - self.in_use)
        self._held[owner] = self.held_by(owner) + places
        self.in_use += places
        return places

    def release(self, owner: str, places: int = 1) -> None:
        """Give *places* of *owner* back."""
        self.in_use -= places
        if not self.in_use:
            self._idle.set()
        if self._held[owner] == places:
            del self._held[owner]
        else:
            self._held[owner] -= places
        if self.on_release is not None:
            self.on_release(owner)

    def check_available(self, owner: str) -> None:
        """Take nothing, but raise what :meth:`take` would."""
        if self.held_by(owner) >= self._max_per_owner:
            raise LimitExceeded(server_wide=False)
        if self.in_use >= self._max_total:
            raise LimitExceeded(server_wide=True)

    def held_by(self, owner: str) -> int:
        """How many places *owner* has."""
        return self._held.get(owner, 0)

    async def wait_until_idle(self) -> None:
        """Wait until nobody holds a place."""
        while self.in_use:
            self._idle.clear()
            await self._idle.wait()
