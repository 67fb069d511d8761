"""Admission: what is asked before a request takes its place, where more counts than the places of this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..protocol.jsonrpc import Message, Request, RpcError
from ..redis_state.quotas import Quotas
from ..redis_state.token_buckets import BucketRequest, RedisTokenBuckets
from ..resilience.concurrency import ConcurrencyLimiter, LimitExceeded
from ..resilience.token_bucket import TokenBuckets

# So many calls may come at once: what takes this part of a minute otherwise, and never fewer than that.
BURST_DIVISOR, MIN_BURST = 3, 10


class RateLimitExceeded(LimitExceeded):
    """The principal has called more often than one may, and has to *wait* so many seconds."""

    def __init__(self, wait_seconds: float) -> None:
        text = "Too many calls a minute for this user; slow down"
        super().__init__(server_wide=False, message=text, retry_after_seconds=max(1, math.ceil(wait_seconds)))


class CallRateLimiter:
    """How many tools a principal may call in a minute; *shared* counts for all replicas, *clock* for this one."""

    def __init__(
        self,
        per_minute: int,
        shared_buckets: RedisTokenBuckets | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst, self._rate = float(max(MIN_BURST, per_minute // BURST_DIVISOR)), per_minute / 60
        self._shared_buckets, self._clock = shared_buckets, clock
        self._local_buckets = TokenBuckets(self._burst, self._rate)

    async def take(self, owner: str, calls: int) -> None:
        """Count so many *calls*; raises TooFast, and counts none, where one has to wait."""
        # What is too much for this replica is too much for all: nobody else has to be asked.
        now = self._clock()
        bucket = self._local_buckets.bucket_for(owner, now)
        if wait := bucket.wait_seconds(now, calls):
            raise RateLimitExceeded(wait)
        bucket.take(calls)
        if self._shared_buckets is not None:
            if wait := await self._shared_buckets.take([BucketRequest(owner, self._burst, self._rate)], calls):
                bucket.give_back(calls)
                raise RateLimitExceeded(wait)

    def give_back(self, owner: str, calls: int) -> None:
        """They did not begin after all."""
        self._local_buckets.bucket_for(owner, self._clock()).give_back(calls)
        if self._shared_buckets is not None:
            self._shared_buckets.give_back([BucketRequest(owner, self._burst, self._rate)], calls)


class Admission:
    """Asks for *slots*; after the answer a place is to be taken at once, with nothing awaited between.

    Waits only for Redis, and never for one that is away.
    """

    def __init__(
        self, concurrency_limiter: ConcurrencyLimiter, rate_limiter: CallRateLimiter | None, quota: Quotas | None
    ) -> None:
        self._concurrency_limiter, self._rate_limiter, self._quota = concurrency_limiter, rate_limiter, quota
        if quota is not None:
            concurrency_limiter.on_release = quota.report_change

    async def admit(self, owner: str, *messages: Message | RpcError) -> None:
        """Whether what was *messages*, a request or a batch, may begin; raises Full."""
        self._concurrency_limiter.check_available(owner)
        calls = sum(isinstance(one, Request) and one.method == "tools/call" for one in messages)
        if calls and self._rate_limiter is not None:
            await self._rate_limiter.take(owner, calls)
        if self._quota is not None and not await self._quota.has_room(owner):
            if calls and self._rate_limiter is not None:
                self._rate_limiter.give_back(owner, calls)
            raise LimitExceeded(server_wide=False)
