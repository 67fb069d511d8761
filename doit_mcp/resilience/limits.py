"""The limiter interface, and the error that every limiter raises.

Limiters count different things: what is in use at the same time (:mod:`.concurrency`), how often something happens
(:mod:`.token_bucket`), or what waits for a thread (:mod:`.compute_thread`). Their callers need not know which.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

LimitScope = Literal["owner", "server"]
"""Which limit is reached: that of one owner, or that of the whole server."""


class LimitExceeded(Exception):
    """A limit is reached. The message is for the client. A new attempt can succeed after *retry_after* seconds.

    Each transport translates it to its own errors in one place.
    """

    def __init__(self, scope: LimitScope, retry_after: float, message: str) -> None:
        super().__init__(message)
        self.scope, self.retry_after = scope, retry_after

    @property
    def retry_after_seconds(self) -> int:
        """The delay in whole seconds, at least one, as protocols state it."""
        return max(1, math.ceil(self.retry_after))


class Limiter(Protocol):
    """Decides whether an owner may use more of something. Never waits, so nothing happens between decision and use."""

    def acquire(self, owner: str, amount: int = 1) -> None:
        """Count *amount* for *owner*. Raise LimitExceeded, and count nothing, at the limit."""

    def release(self, owner: str, amount: int = 1) -> None:
        """Return *amount*, which is no longer in use, or was acquired but not used."""


class SharedLimiter(Protocol):
    """A :class:`Limiter` for all replicas together, so that acquiring waits for shared state.

    While the shared state is unavailable it admits everything. The limits of each process still apply.
    """

    async def acquire(self, owner: str, amount: int = 1) -> None:
        """Count *amount* for *owner*. Raise LimitExceeded, and count nothing, at the limit."""

    def release(self, owner: str, amount: int = 1) -> None:
        """Return *amount* without waiting."""


class TieredLimiter:
    """Checks the limiter of this process first, which costs no round trip, then the *shared* one, if there is one."""

    def __init__(self, local: Limiter, shared: SharedLimiter | None = None) -> None:
        self._local, self._shared = local, shared

    async def acquire(self, owner: str, amount: int = 1) -> None:
        """Count *amount* for *owner* in both. Raise LimitExceeded."""
        self._local.acquire(owner, amount)
        if self._shared is not None:
            try:
                await self._shared.acquire(owner, amount)
            except LimitExceeded:
                self._local.release(owner, amount)
                raise

    def release(self, owner: str, amount: int = 1) -> None:
        """Return *amount* to both."""
        self._local.release(owner, amount)
        if self._shared is not None:
            self._shared.release(owner, amount)
