"""Open event streams: counted per principal, and the HTTP+SSE sessions that live as long as theirs."""

from __future__ import annotations

import math
import sys

from ...redis_state.quotas import Quotas
from ...server.sessions import MemorySessions, Sessions


class TooManyStreams(Exception):
    """The principal has as many streams open as one may have."""


def unlimited_sessions() -> MemorySessions:
    """Sessions that live as long as their streams, which are counted."""
    return MemorySessions(idle_seconds=math.inf, max_per_owner=sys.maxsize, max_total=sys.maxsize)


class StreamSlot:
    """One stream of *owner*, counted while the block runs; entering raises :class:`TooMany`."""

    __slots__ = ("_owner", "_limiter")

    def __init__(self, limiter: StreamLimiter, owner: str) -> None:
        self._limiter, self._owner = limiter, owner

    def __enter__(self) -> None:
        self._limiter.acquire(self._owner)

    def __exit__(self, *failure: object) -> None:
        self._limiter.release(self._owner)


class StreamLimiter:
    """Streams of one process: places for every long-lived stream, and the HTTP+SSE *sessions* that need theirs.

    *quota*, where there are other replicas, makes the limit one for all of them.
    """

    def __init__(self, per_owner: int, sessions: Sessions | None = None) -> None:
        self._per_owner = per_owner
        self._counts: dict[str, int] = {}
        self.sessions: Sessions = unlimited_sessions() if sessions is None else sessions
        self.quota: Quotas | None = None
        self.open_streams = 0

    async def check_quota(self, owner: str) -> None:
        """Before a place is taken: see that other replicas leave one; raises :class:`TooMany`."""
        if self.quota is not None and not await self.quota.has_room(owner):
            raise TooManyStreams(f"{self._per_owner} event streams are open for this user; close one first")

    def held_by(self, owner: str) -> int:
        """How many streams *owner* has here."""
        return self._counts.get(owner, 0)

    def slot(self, owner: str) -> StreamSlot:
        """A place for one stream of *owner*."""
        return StreamSlot(self, owner)

    def acquire(self, owner: str) -> None:
        """Count one more; raises :class:`TooMany`."""
        count = self._counts.get(owner, 0)
        if count >= self._per_owner:
            raise TooManyStreams(f"{count} event streams are open for this user; close one first")
        self._counts[owner] = count + 1
        self.open_streams += 1

    def release(self, owner: str) -> None:
        """Count one less."""
        self.open_streams -= 1
        if self._counts[owner] == 1:
            del self._counts[owner]
        else:
            self._counts[owner] -= 1
        if self.quota is not None:
            self.quota.report_change(owner)
