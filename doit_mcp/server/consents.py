"""Consents: each acceptance of a change counts once, whatever state a client sends again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

LIFETIME_SECONDS = 1_000.0
"""Longer than a request state is good for."""
MAX_PER_OWNER, MAX_TOTAL = 100, 10_000


def now_milliseconds() -> int:
    """The time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Consent(NamedTuple):
    """A question put to the user: when, in epoch milliseconds, and under which unique id."""

    asked_at: int
    id: str

    @classmethod
    def new(cls) -> Consent:
        """That of a question which is put now."""
        return cls(now_milliseconds(), secrets.token_urlsafe(12))


class Consents(Protocol):
    """Which consents were used."""

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Whether the consent may count: False where it was used before, or where that is not known because it is older
        than one of those that had to make room, or than this memory. Raises StateUnavailable where it cannot be checked."""


class _UsedConsents:
    """Used consents of one owner. All asked for at *floor* or before count as used."""

    __slots__ = ("expires_at", "floor", "ids")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.floor, self.expires_at = -1, 0.0


class MemoryConsents:
    """Consents that were used in this process. The oldest make room: those of the owner first, then anybody's.

    All that were asked for at *since* (epoch milliseconds; now, if left out) or before count as used: a process that
    ran before this one may have used them.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        lifetime_seconds: float = LIFETIME_SECONDS,
        per_owner: int = MAX_PER_OWNER,
        total: int = MAX_TOTAL,
        since: int | None = None,
    ) -> None:
        self._clock, self._lifetime_seconds, self._per_owner, self._total = clock, lifetime_seconds, per_owner, total
        # The owner who used one last comes last.
        self._owners: dict[str, _UsedConsents] = {}
        self._size, self._floor = 0, now_milliseconds() if since is None else since

    def __len__(self) -> int:
        return self._size

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Whether the consent may count."""
        self._evict_expired()
        used = self._owners.get(owner) or _UsedConsents()
        if asked_at <= max(used.floor, self._floor) or id in used.ids:
            return False
        used.ids[id], used.expires_at = asked_at, self._clock() + self._lifetime_seconds
        self._size += 1
        self._owners.pop(owner, None)
        self._owners[owner] = used
        if len(used.ids) > self._per_owner:
            oldest = min(used.ids, key=used.ids.__getitem__)
            used.floor = used.ids.pop(oldest)
            self._size -= 1
        while self._size > self._total:
            dropped = self._evict_owner(next(iter(self._owners)))
            self._floor = max(self._floor, dropped.floor, *dropped.ids.values())
        return True

    def _evict_expired(self) -> None:
        now = self._clock()
        while self._owners and (first := next(iter(self._owners.items())))[1].expires_at <= now:
            self._evict_owner(first[0])

    def _evict_owner(self, owner: str) -> _UsedConsents:
        used = self._owners.pop(owner)
        self._size -= len(used.ids)
        return used
