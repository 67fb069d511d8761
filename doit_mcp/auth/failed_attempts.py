"""How often something may fail, in all and by address: buckets of tries that fill up again with time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..resilience.token_bucket import TokenBucket, TokenBuckets

# A stranger can make the DoiT API check so many wrong tokens at once, and so many more a second.
TOTAL_LIMIT = (200.0, 4.0)
ADDRESS_LIMIT = (120.0, 2.0)
# Extra tries beyond the total, for addresses that valid tokens came from.
RESERVE_LIMIT = (50.0, 1.0)


class SharedAttemptLimiter(Protocol):
    """The same tries, counted over all replicas; asked after this one's own."""

    async def take(self, address: str) -> float:
        """As :meth:`Tries.take`; 0 as well where nobody can be asked at the moment."""

    def give_back(self, address: str) -> None:
        """As :meth:`Tries.give_back`."""


class SharedVerifiedTokens(Protocol):
    """Tokens that were proven good at any replica, by digest; a flood of wrong ones does not lock them out."""

    async def contains(self, digest: bytes) -> bool:
        """Whether this token was proven; False as well where nobody can be asked at the moment."""

    def add(self, digest: bytes) -> None:
        """It was proven, here and now."""

    def remove(self, digest: bytes) -> None:
        """It is good no more."""


class AttemptLimiter:
    """Tries in all and by address ("" has no limit of its own); the addresses seen longest ago are forgotten."""

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
        # Where good tokens came from; the address seen longest ago is forgotten.
        self._trusted_addresses: dict[str, None] = {}
        self._max_trusted_addresses = max_addresses

    def take(self, address: str) -> float:
        """Take a try and return 0, or take none and return the seconds to wait."""
        now = self._clock()
        buckets = self._buckets_for(address, now)
        wait = max(bucket.wait_seconds(now) for bucket in buckets)
        if not wait:
            for bucket in buckets:
                bucket.take()
        return wait

    def take_reserved(self, address: str) -> bool:
        """Whether there is a try in the share that is kept for addresses that good tokens came from; it is taken."""
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
        """The try turned out well: it does not count."""
        for bucket in self._buckets_for(address, self._clock()):
            bucket.give_back()

    def record_success(self, address: str) -> None:
        """A good token came from *address*."""
        if address:
            self._trusted_addresses.pop(address, None)
            while len(self._trusted_addresses) >= self._max_trusted_addresses:
                del self._trusted_addresses[next(iter(self._trusted_addresses))]
            self._trusted_addresses[address] = None

    def _buckets_for(self, address: str, now: float) -> list[TokenBucket]:
        return [self._by_address.bucket_for(address, now), self._total] if address else [self._total]
