"""A bounded record of ids that can be used only once. It may forget an id only by treating all older ones as used."""

from __future__ import annotations

import time
from collections.abc import Callable


class _OwnerIds:
    """Used ids of one owner. All ids issued at *floor* or earlier count as used."""

    __slots__ = ("expires_at", "floor", "ids")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.floor, self.expires_at = -1, 0.0


class UsedIds:
    """Used ids, with the times when they were issued, in epoch milliseconds.

    *lifetime_seconds* is how long an id is valid. At most *per_owner* ids of an owner and *total* ids are kept. All ids
    issued at *since* or earlier count as used.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        lifetime_seconds: float,
        per_owner: int,
        total: int,
        since: int = -1,
    ) -> None:
        self._clock, self._lifetime_seconds, self._per_owner, self._total = clock, lifetime_seconds, per_owner, total
        # Ordered by last use: the owner of the most recently used id is last.
        self._owners: dict[str, _OwnerIds] = {}
        self._size, self._floor = 0, since

    def __len__(self) -> int:
        return self._size

    def contains(self, owner: str, issued_at: int, id: str) -> bool:
        """Return whether an id was used, or may have been."""
        used = self._owners.get(owner)
        return issued_at <= self._floor or (used is not None and (issued_at <= used.floor or id in used.ids))

    def add(self, owner: str, issued_at: int, id: str) -> None:
        """Record that an id is used now, unless it counts as used already."""
        self._evict_expired()
        if self.contains(owner, issued_at, id):
            return
        used = self._owners.pop(owner, None) or _OwnerIds()
        used.ids[id], used.expires_at = issued_at, self._clock() + self._lifetime_seconds
        self._owners[owner] = used
        self._size += 1
        if len(used.ids) > self._per_owner:
            oldest = min(used.ids, key=used.ids.__getitem__)
            used.floor = used.ids.pop(oldest)
            self._size -= 1
        while self._size > self._total:
            dropped = self._evict_owner(next(iter(self._owners)))
            self._floor = max(self._floor, dropped.floor, *dropped.ids.values())

    def _evict_expired(self) -> None:
        now = self._clock()
        while self._owners and (oldest := next(iter(self._owners.items())))[1].expires_at <= now:
            self._evict_owner(oldest[0])

    def _evict_owner(self, owner: str) -> _OwnerIds:
        used = self._owners.pop(owner)
        self._size -= len(used.ids)
        return used
