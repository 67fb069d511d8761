"""User consents to changes. Each counts only once, even if a client sends the same state again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

LIFETIME_SECONDS = 1_000.0
"""Longer than a request state stays valid."""
MAX_PER_OWNER, MAX_TOTAL = 100, 10_000


def now_milliseconds() -> int:
    """Return the current time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Consent(NamedTuple):
    """The time at which the user was asked, in epoch milliseconds, and the unique id of that question."""

    asked_at: int
    id: str

    @classmethod
    def new(cls) -> Consent:
        """Return the consent for a question asked now."""
        return cls(now_milliseconds(), secrets.token_urlsafe(12))


class Consents(Protocol):
    """Records which consents were used."""

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Use a consent. Return whether it counts. Raise StateUnavailable if that cannot be checked.

        A consent does not count if it was used before. It also does not count if that is unknown, because the consent
        is older than an evicted one or than the record itself.
        """


class _UsedConsents:
    """Used consents of one owner. All consents requested at *floor* or earlier count as used."""

    __slots__ = ("expires_at", "floor", "ids")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.floor, self.expires_at = -1, 0.0


class MemoryConsents:
    """Records the consents used in this process. The oldest are evicted first: by owner, then overall.

    All consents requested at *since* (epoch milliseconds; default: now) or earlier count as used, because a previous
    process may have used them.
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
        # Ordered by last use: the owner of the most recently used consent is last.
        self._owners: dict[str, _UsedConsents] = {}
        self._size, self._floor = 0, now_milliseconds() if since is None else since

    def __len__(self) -> int:
        return self._size

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Use a consent. Return whether it counts."""
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
        while self._owners and (oldest := next(iter(self._owners.items())))[1].expires_at <= now:
            self._evict_owner(oldest[0])

    def _evict_owner(self, owner: str) -> _UsedConsents:
        used = self._owners.pop(owner)
        self._size -= len(used.ids)
        return used
