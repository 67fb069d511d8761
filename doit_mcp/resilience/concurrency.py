"""Limits how much is in use at the same time, per owner and in total: calls, streams or bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .limits import LimitExceeded

CALLS_MESSAGE = "Too many calls are in progress for this user; wait for one to finish"
BUSY_MESSAGE = "The server is busy; try again in a moment"


class ConcurrencyLimiter:
    """Implements :class:`~.limits.Limiter` for amounts that are held and released. Owners without any take no memory.

    *owner_message* and *server_message* are the messages of LimitExceeded, by scope. *on_release* is called with the
    owner after each release.
    """

    def __init__(
        self,
        *,
        max_per_owner: int,
        max_total: int,
        owner_message: str = CALLS_MESSAGE,
        server_message: str = BUSY_MESSAGE,
        retry_after: float = 2.0,
    ) -> None:
        self._max_per_owner, self._max_total = max_per_owner, max_total
        self._owner_message, self._server_message, self._retry_after = owner_message, server_message, retry_after
        self._held: dict[str, int] = {}
        self.in_use = 0
        self.on_release: Callable[[str], None] | None = None
        self._idle = asyncio.Event()

    def acquire(self, owner: str, amount: int = 1) -> None:
        """Take *amount* for *owner*. Raise LimitExceeded, and take nothing, at the limit."""
        held = self._held.get(owner, 0) + amount
        if held > self._max_per_owner or self.in_use + amount > self._max_total:
            raise self._limit_exceeded(held)
        self._held[owner] = held
        self.in_use += amount

    def acquire_up_to(self, owner: str, wanted: int) -> int:
        """Take what is free for *owner*, at most *wanted*, and return the amount. Raise LimitExceeded if it is zero."""
        self.check_available(owner)
        held = self.held_by(owner)
        amount = min(wanted, self._max_per_owner - held, self._max_total - self.in_use)
        self._held[owner] = held + amount
        self.in_use += amount
        return amount

    def release(self, owner: str, amount: int = 1) -> None:
        """Return *amount* that *owner* holds."""
        self.in_use -= amount
        if not self.in_use:
            self._idle.set()
        if self._held[owner] == amount:
            del self._held[owner]
        else:
            self._held[owner] -= amount
        if self.on_release is not None:
            self.on_release(owner)

    def check_available(self, owner: str) -> None:
        """Raise LimitExceeded if :meth:`acquire` would, but take nothing."""
        held = self._held.get(owner, 0) + 1
        if held > self._max_per_owner or self.in_use >= self._max_total:
            raise self._limit_exceeded(held)

    def held_by(self, owner: str) -> int:
        """Return how much *owner* holds."""
        return self._held.get(owner, 0)

    async def wait_until_idle(self) -> None:
        """Wait until nothing is held."""
        while self.in_use:
            self._idle.clear()
            await self._idle.wait()

    def _limit_exceeded(self, wanted_by_owner: int) -> LimitExceeded:
        if wanted_by_owner > self._max_per_owner:
            return LimitExceeded("owner", self._retry_after, self._owner_message)
        return LimitExceeded("server", self._retry_after, self._server_message)
