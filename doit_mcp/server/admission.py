"""Admission control: checks a principal's rate and concurrency limits before a request starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from ..protocol.jsonrpc import Message, Request, RpcError
from ..resilience.concurrency import ConcurrencyLimiter
from ..resilience.limits import LimitExceeded, SharedLimiter
from ..resilience.token_bucket import Rate, RateLimiter, TokenBuckets

# The burst is the calls per minute divided by this, but at least the minimum.
BURST_DIVISOR, MIN_BURST = 3, 10
TOO_MANY_CALLS = "Too many calls per minute for this user; slow down"


def call_rate(per_minute: int) -> Rate:
    """Return the rate of one principal that may make *per_minute* tool calls per minute."""
    return Rate(float(max(MIN_BURST, per_minute // BURST_DIVISOR)), per_minute / 60)


def call_rate_limiter(rate: Rate, clock: Callable[[], float] = time.monotonic) -> RateLimiter:
    """Return a limiter for the tool calls of each principal in this process."""
    return RateLimiter(TOO_MANY_CALLS, TokenBuckets(*rate), clock=clock)


class AdmissionPolicy(Protocol):
    """Decides whether requests may run."""

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        """Return if *messages*, a request or a batch, may run. Raise LimitExceeded otherwise."""


class AdmitAll:
    """Admits every request; the runner's limits still apply."""

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        """Raise nothing."""


class Admission:
    """Checks the limits before a request takes its slot of *concurrency_limiter*, which must follow without awaiting.

    *rate_limiter* counts tool calls. *quota* limits the calls in flight at all replicas together. Admission waits only
    for Redis, and not at all while Redis is unavailable.
    """

    def __init__(
        self,
        concurrency_limiter: ConcurrencyLimiter,
        rate_limiter: SharedLimiter | None,
        quota: SharedLimiter | None,
    ) -> None:
        self._concurrency_limiter, self._rate_limiter, self._quota = concurrency_limiter, rate_limiter, quota
        if quota is not None:
            concurrency_limiter.on_release = quota.release

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        """Check that *messages*, a request or a batch, may start. Raise LimitExceeded otherwise."""
        self._concurrency_limiter.check_available(owner)
        calls = sum(isinstance(message, Request) and message.method == "tools/call" for message in messages)
        if calls and self._rate_limiter is not None:
            await self._rate_limiter.acquire(owner, calls)
        if self._quota is not None:
            try:
                await self._quota.acquire(owner)
            except LimitExceeded:
                if calls and self._rate_limiter is not None:
                    self._rate_limiter.release(owner, calls)
                raise
