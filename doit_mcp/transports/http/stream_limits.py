"""Limits the open event streams of each principal, and owns HTTP+SSE sessions, which live as long as their stream."""

from __future__ import annotations

import math
import sys

from ...resilience.concurrency import BUSY_MESSAGE, ConcurrencyLimiter
from ...resilience.limits import SharedLimiter
from ...server.memory_sessions import MemorySessions
from ...server.sessions import OnSessionEnd, Sessions

RETRY_AFTER_SECONDS = 5.0


def too_many_streams_text(per_owner: int) -> str:
    """Return the error message for a principal with *per_owner* open streams."""
    return f"This user already has {per_owner} open event streams; close one first"


def make_unlimited_sessions(on_session_end: OnSessionEnd = lambda revision, seconds: None) -> MemorySessions:
    """Return sessions without limits: each session ends with its stream, and streams are limited."""
    return MemorySessions(
        idle_seconds=math.inf, max_per_owner=sys.maxsize, max_total=sys.maxsize, on_session_end=on_session_end
    )


class StreamSlot:
    """One stream of *owner*, counted while the block runs. Entering raises LimitExceeded."""

    __slots__ = ("_limiter", "_owner")

    def __init__(self, limiter: ConcurrencyLimiter, owner: str) -> None:
        self._limiter, self._owner = limiter, owner

    def __enter__(self) -> None:
        self._limiter.acquire(self._owner)

    def __exit__(self, *failure: object) -> None:
        self._limiter.release(self._owner)


class StreamLimiter:
    """Limits the long-lived streams of one process, and holds the HTTP+SSE *sessions* that live on such streams.

    With several replicas, :meth:`share` extends the limit to all of them.
    """

    def __init__(self, per_owner: int, sessions: Sessions | None = None) -> None:
        self._slots = ConcurrencyLimiter(
            max_per_owner=per_owner,
            max_total=sys.maxsize,
            owner_message=too_many_streams_text(per_owner),
            server_message=BUSY_MESSAGE,
            retry_after=RETRY_AFTER_SECONDS,
        )
        self.sessions: Sessions = make_unlimited_sessions() if sessions is None else sessions
        self._quota: SharedLimiter | None = None

    def share(self, quota: SharedLimiter) -> None:
        """Limit the streams of all replicas together with *quota*."""
        self._quota = quota
        self._slots.on_release = quota.release

    @property
    def open_streams(self) -> int:
        """The number of open streams."""
        return self._slots.in_use

    async def check_quota(self, owner: str) -> None:
        """Check that the streams of all replicas leave room for one more. Raise LimitExceeded.

        Take the slot right after this call, without awaiting anything in between.
        """
        if self._quota is not None:
            await self._quota.acquire(owner)

    def held_by(self, owner: str) -> int:
        """Return the number of streams of *owner* in this process."""
        return self._slots.held_by(owner)

    def make_slot(self, owner: str) -> StreamSlot:
        """Return the slot of one stream of *owner*."""
        return StreamSlot(self._slots, owner)
