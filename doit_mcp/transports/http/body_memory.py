"""Limits the total bytes of request bodies that are received and handled at the same time."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ...resilience.concurrency import ConcurrencyLimiter

# Multiples of the maximum body size.
BODIES_PER_OWNER, BODIES_TOTAL = 4, 16


class BodyMemory:
    """Counts received bytes until their request is done, because a parsed body takes many times its size.

    A declared Content-Length is not counted, so no client can reserve the memory of others.
    """

    def __init__(self, max_body: int) -> None:
        per_owner = BODIES_PER_OWNER * max_body
        self._limiter = ConcurrencyLimiter(
            max_per_owner=per_owner,
            max_total=BODIES_TOTAL * max_body,
            owner_message=f"The bodies of your requests in progress are limited to {per_owner:,} bytes in total; wait for one to finish",
            server_message="The server is handling too many large requests; try again",
            retry_after=5,
        )

    @property
    def total_bytes(self) -> int:
        """The bytes of all bodies in progress."""
        return self._limiter.in_use

    def share(self, owner: str) -> BodyShare:
        """Return the share of one request of *owner*, counted while its ``with`` block runs."""
        return BodyShare(self._limiter, owner)


class BodyShare:
    """The bytes of one request."""

    __slots__ = ("_bytes", "_limiter", "_owner", "_task")

    def __init__(self, limiter: ConcurrencyLimiter, owner: str) -> None:
        self._limiter, self._owner, self._bytes = limiter, owner, 0
        self._task: asyncio.Task[None] | None = None

    def add(self, size: int) -> None:
        """Count *size* received bytes. Raise LimitExceeded without counting them."""
        self._limiter.acquire(self._owner, size)
        self._bytes += size

    def keep_until_done(self, task: asyncio.Task[None]) -> None:
        """Keep counting the bytes until *task* is done, which may outlive the connection."""
        self._task = task

    def __enter__(self) -> BodyShare:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._bytes:
            return
        if self._task is None or self._task.done():
            self._release()
        else:
            self._task.add_done_callback(self._release)

    def _release(self, task: asyncio.Task[None] | None = None) -> None:
        self._limiter.release(self._owner, self._bytes)
