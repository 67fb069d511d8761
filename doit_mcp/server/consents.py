"""User consents to changes. Each counts only once, even if a client sends the same state again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .used_ids import UsedIds

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
        self._used = UsedIds(
            clock,
            lifetime_seconds=lifetime_seconds,
            per_owner=per_owner,
            total=total,
            since=now_milliseconds() if since is None else since,
        )

    def __len__(self) -> int:
        return len(self._used)

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Use a consent. Return whether it counts."""
        if self._used.contains(owner, asked_at, id):
            return False
        self._used.add(owner, asked_at, id)
        return True
