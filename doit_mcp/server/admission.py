"""Admission: what is asked before a request takes its place, where more counts than the places of this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..protocol.jsonrpc import Message, Request, RpcError
from ..redis_state.quotas import Counts
from ..redis_state.token_buckets import SharedBuckets, Wanted
from ..resilience.concurrency import Full, Slots
from ..resilience.token_bucket import Buckets

# So many calls may come at once: what takes this part of a minute otherwise, and never fewer than that.
BURST_PART, LEAST_BURST = 3, 10


class TooFast(Full):
    """The principal has called more often than one may, and has to *wait* so many seconds."""

    def __init__(self, wait: float) -> None:
        text = "Too many calls a minute for this user; slow down"
        super().__init__(everyone=False, text=text, retry_s=max(1, math.ceil(wait)))


class Rate:
    """How many tools a principal may call in a minute; *shared* counts for all replicas, *clock* for this one."""

    def __init__(
        self, per_minute: int, shared: SharedBuckets | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._rate = float(max(LEAST_BURST, per_minute // BURST_PART)), per_minute / 60
        self._shared, self._clock = shared, clock
        self._own = Buckets(self._burst, self._rate)

    async def take(self, owner: str, calls: int) -> None:
        """Count so many *calls*; raises TooFast, and counts none, where one has to wait."""
        # What is too much for this replica is too much for all: nobody else has to be asked.
        now = self._clock()
        bucket = self._own.of(owner, now)
        if wait := bucket.wait(now, calls):
            raise TooFast(wait)
        bucket.take(calls)
        if self._shared is not None:
            if wait := await self._shared.take([Wanted(owner, self._burst, self._rate)], calls):
                bucket.give_back(calls)
                raise TooFast(wait)

    def give_back(self, owner: str, calls: int) -> None:
        """They did not begin after all."""
        self._own.of(owner, self._clock()).give_back(calls)
        if self._shared is not None:
            self._shared.give_back([Wanted(owner, self._burst, self._rate)], calls)


class Admission:
    """Asks for *slots*; after the answer a place is to be taken at once, with nothing awaited between.

    Waits only for Redis, and never for one that is away.
    """

    def __init__(self, slots: Slots, rate: Rate | None, counts: Counts | None) -> None:
        self._slots, self._rate, self._counts = slots, rate, counts
        if counts is not None:
            slots.given_back = counts.changed

    async def ask(self, owner: str, *read: Message | RpcError) -> None:
        """Whether what was *read*, a request or a batch, may begin; raises Full."""
        self._slots.check(owner)
        calls = sum(isinstance(one, Request) and one.method == "tools/call" for one in read)
        if calls and self._rate is not None:
            await self._rate.take(owner, calls)
        if self._counts is not None and not await self._counts.room(owner):
            if calls and self._rate is not None:
                self._rate.give_back(owner, calls)
            raise Full(everyone=False)
