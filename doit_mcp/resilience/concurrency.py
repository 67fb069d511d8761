"""How many calls may run at once: in all, and for one principal, so that nobody takes every place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Full(Exception):
    """No place is free; *everyone* tells whether the whole server is full or just this principal's share.

    *retry_s* are the seconds after which it is worth while to come again.
    """

    def __init__(self, everyone: bool, text: str = "", retry_s: int = 2) -> None:
        usual = (
            "The server is busy; try again in a moment"
            if everyone
            else "Too many calls are in flight for this user; wait for one to finish"
        )
        super().__init__(text or usual)
        self.everyone, self.retry_s = everyone, retry_s


class Slots:
    """Counts places; holds nothing for those who have none in use. *given_back* hears whose place is free again."""

    def __init__(self, *, per_owner: int, total: int) -> None:
        self._per_owner, self._total = per_owner, total
        self._taken: dict[str, int] = {}
        self.in_use = 0
        self.given_back: Callable[[str], None] | None = None
        self._empty = asyncio.Event()

    def take(self, owner: str) -> None:
        """Take a place of *owner*; raises :class:`Full` at once when there is none."""
        taken = self._taken.get(owner, 0)
        if taken >= self._per_owner:
            raise Full(everyone=False)
        if self.in_use >= self._total:
            raise Full(everyone=True)
        self._taken[owner] = taken + 1
        self.in_use += 1

    def take_up_to(self, owner: str, wanted: int) -> int:
        """Take as many places of *owner* as are free, at most as many as are *wanted*; raises :class:`Full` if none is."""
        self.check(owner)
        places = min(wanted, self._per_owner - self.held(owner), self._total - self.in_use)
        self._taken[owner] = self.held(owner) + places
        self.in_use += places
        return places

    def give_back(self, owner: str, places: int = 1) -> None:
        """Give *places* of *owner* back."""
        self.in_use -= places
        if not self.in_use:
            self._empty.set()
        if self._taken[owner] == places:
            del self._taken[owner]
        else:
            self._taken[owner] -= places
        if self.given_back is not None:
            self.given_back(owner)

    def check(self, owner: str) -> None:
        """Take nothing, but raise what :meth:`take` would."""
        if self.held(owner) >= self._per_owner:
            raise Full(everyone=False)
        if self.in_use >= self._total:
            raise Full(everyone=True)

    def held(self, owner: str) -> int:
        """How many places *owner* has."""
        return self._taken.get(owner, 0)

    async def empty(self) -> None:
        """Wait until nobody holds a place."""
        while self.in_use:
            self._empty.clear()
            await self._empty.wait()
