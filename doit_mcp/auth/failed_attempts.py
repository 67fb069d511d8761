"""Limiter of failed checks of API tokens, in total and per address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..resilience.token_bucket import TokenBucket, TokenBuckets

# Size of the burst and attempts per second: what unauthenticated clients can make the DoiT API check.
TOTAL_LIMIT = (200.0, 4.0)
ADDRESS_LIMIT = (120.0, 2.0)
# Attempts beyond the total, for addresses that valid tokens came from.
RESERVE_LIMIT = (50.0, 1.0)


class SharedAttemptLimiter(Protocol):
    """The limit over all replicas, applied after that of this process."""

    async def take(self, address: str) -> float:
        """As :meth:`AttemptLimiter.take`; also 0 while the shared state is unavailable."""

    def give_back(self, address: str) -> None:
        """As :meth:`AttemptLimiter.give_back`."""


class SharedVerifiedTokens(Protocol):
    """Digests of tokens that any replica has verified. A flood of wrong tokens does not lock them out."""

    async def contains(self, digest: bytes) -> bool:
        """Whether a replica has verified this token; also False while the shared state is unavailable."""

    def add(self, digest: bytes) -> None:
        """Record that this process has verified the token."""

    def remove(self, digest: bytes) -> None:
        """Record that the token was refused."""


class AttemptLimiter:
    """Limits attempts in total and per address; the address "" has no limit of its own.

    *total*, *by_address* and *reserve* are (size of the burst, attempts per second). At most *max_addresses* addresses
    are kept; those seen longest ago are dropped.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        total: tuple[float, float],
        by_address: tuple[float, float],
        max_addresses: int = 10_000,
        reserve: tuple[float, float] = RESERVE_LIMIT,
    ) -> None:
        self._clock = clock
        self._total = TokenBucket(*total, clock())
        self._by_address = TokenBuckets(*by_address, max_addresses)
        self._reserve = TokenBucket(*reserve, clock())
        # Addresses that valid tokens came from, the one seen longest ago first.
        self._trusted_addresses: dict[str, None] = {}
        self._max_trusted_addresses = max_addresses

    def take(self, address: str) -> float:
        """Take an attempt and return 0, or take none and return the seconds to wait."""
        now = self._clock()
        buckets = self._buckets_for(address, now)
        wait = max(bucket.wait_seconds(now) for bucket in buckets)
        if not wait:
            for bucket in buckets:
                bucket.take()
        return wait

    def take_reserved(self, address: str) -> bool:
        """Take an attempt from the reserve for addresses that valid tokens came from; whether there was one."""
        now = self._clock()
        if (
            address not in self._trusted_addresses
            or self._by_address.bucket_for(address, now).wait_seconds(now)
            or self._reserve.wait_seconds(now)
        ):
            return False
        self._by_address.bucket_for(address, now).take()
        self._reserve.take()
        return True

    def give_back(self, address: str) -> None:
        """Give back an attempt that succeeded: only failures count."""
        for bucket in self._buckets_for(address, self._clock()):
            bucket.give_back()

    def record_success(self, address: str) -> None:
        """Record that a valid token came from *address*."""
        if address:
            self._trusted_addresses.pop(address, None)
            while len(self._trusted_addresses) >= self._max_trusted_addresses:
                del self._trusted_addresses[next(iter(self._trusted_addresses))]
            self._trusted_addresses[address] = None

    def _buckets_for(self, address: str, now: float) -> list[TokenBucket]:
        return [self._by_address.bucket_for(address, now), self._total] if address else [self._total]
