"""Limits how often something happens, with token buckets that start full and refill at a constant rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from .limits import LimitExceeded, LimitScope


class Rate(NamedTuple):
    """*burst* at once, then *per_second*."""

    burst: float
    per_second: float


class TokenBucket:
    """A bucket of *burst* tokens that gains *rate* tokens a second."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated_at")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate, self._tokens, self._updated_at = burst, rate, burst, now

    def wait_seconds(self, now: float, tokens: int = 1) -> float:
        """Return the seconds until the bucket holds *tokens*, or is full if it cannot hold as many."""
        # A clock that was set back refills nothing.
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._updated_at) * self._rate)
        self._updated_at = now
        return max(0.0, min(tokens, self._burst) - self._tokens) / self._rate

    def take(self, tokens: int = 1) -> None:
        """Take *tokens*. Taking more than the bucket holds leaves a debt, which refills pay off."""
        self._tokens -= tokens

    def give_back(self, tokens: int = 1) -> None:
        """Return unused *tokens*."""
        self._tokens = min(self._burst, self._tokens + tokens)


class TokenBuckets:
    """A bucket for each name, all with the same rate. Beyond *max_buckets* the least recently used are forgotten."""

    def __init__(self, burst: float, rate: float, max_buckets: int = 10_000) -> None:
        self._burst, self._rate, self._max_buckets = burst, rate, max_buckets
        self._buckets: dict[str, TokenBucket] = {}

    def bucket_for(self, name: str, now: float) -> TokenBucket:
        """Return the bucket of *name*, which is created if necessary."""
        bucket = self._buckets.pop(name, None) or TokenBucket(self._burst, self._rate, now)
        while len(self._buckets) >= self._max_buckets:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[name] = bucket
        return bucket


class RateLimiter:
    """Implements :class:`~.limits.Limiter` for a rate per owner and, with *total*, for a rate of all owners together.

    The owner "" has no rate of its own. *message* is the message of LimitExceeded.
    """

    def __init__(
        self,
        message: str,
        owners: TokenBuckets,
        total: TokenBucket | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._message, self._owners, self._total, self._clock = message, owners, total, clock

    def acquire(self, owner: str, amount: int = 1) -> None:
        """Take *amount* tokens. Raise LimitExceeded, and take none, at the limit."""
        now = self._clock()
        owner_bucket = self._owners.bucket_for(owner, now) if owner else None
        owner_wait = 0.0 if owner_bucket is None else owner_bucket.wait_seconds(now, amount)
        total_wait = 0.0 if self._total is None else self._total.wait_seconds(now, amount)
        if owner_wait or total_wait:
            scope: LimitScope = "owner" if owner_wait >= total_wait else "server"
            raise LimitExceeded(scope, max(owner_wait, total_wait), self._message)
        if owner_bucket is not None:
            owner_bucket.take(amount)
        if self._total is not None:
            self._total.take(amount)

    def release(self, owner: str, amount: int = 1) -> None:
        """Return unused tokens."""
        if owner:
            self._owners.bucket_for(owner, self._clock()).give_back(amount)
        if self._total is not None:
            self._total.give_back(amount)
