"""How often something may fail, in all and by address: buckets of tries that fill up again with time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..resilience.token_bucket import Bucket, Buckets

# A stranger can make the DoiT API check so many wrong tokens at once, and so many more a second (security P4).
TOTAL = (200.0, 4.0)
BY_ADDRESS = (120.0, 2.0)
# Extra tries beyond the total, for addresses that valid tokens came from.
RESERVE = (50.0, 1.0)


class SharedTries(Protocol):
    """The same tries, counted over all replicas; asked after this one's own."""

    async def take(self, address: str) -> float:
        """As :meth:`Tries.take`; 0 as well where nobody can be asked at the moment."""

    def give_back(self, address: str) -> None:
        """As :meth:`Tries.give_back`."""


class SharedProven(Protocol):
    """Tokens that were proven good at any replica, by digest; a flood of wrong ones does not lock them out."""

    async def knows(self, digest: bytes) -> bool:
        """Whether this token was proven; False as well where nobody can be asked at the moment."""

    def add(self, digest: bytes) -> None:
        """It was proven, here and now."""

    def remove(self, digest: bytes) -> None:
        """It is good no more."""


class Tries:
    """Tries in all and by address ("" has no limit of its own); the addresses seen longest ago are forgotten."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        total: tuple[float, float],
        by_address: tuple[float, float],
        addresses: int = 10_000,
        reserve: tuple[float, float] = RESERVE,
    ) -> None:
        self._clock = clock
        self._total = Bucket(*total, clock())
        self._by_address = Buckets(*by_address, addresses)
        self._reserve = Bucket(*reserve, clock())
        # Where good tokens came from; the address seen longest ago is forgotten.
        self._good: dict[str, None] = {}
        self._most_good = addresses

    def take(self, address: str) -> float:
        """Take a try and return 0, or take none and return the seconds to wait."""
        now = self._clock()
        buckets = self._of(address, now)
        wait = max(bucket.wait(now) for bucket in buckets)
        if not wait:
            for bucket in buckets:
                bucket.take()
        return wait

    def take_reserved(self, address: str) -> bool:
        """Whether there is a try in the share that is kept for addresses that good tokens came from; it is taken."""
        now = self._clock()
        if address not in self._good or self._by_address.of(address, now).wait(now) or self._reserve.wait(now):
            return False
        self._by_address.of(address, now).take()
        self._reserve.take()
        return True

    def give_back(self, address: str) -> None:
        """The try turned out well: it does not count."""
        for bucket in self._of(address, self._clock()):
            bucket.give_back()

    def proved(self, address: str) -> None:
        """A good token came from *address*."""
        if address:
            self._good.pop(address, None)
            while len(self._good) >= self._most_good:
                del self._good[next(iter(self._good))]
            self._good[address] = None

    def _of(self, address: str, now: float) -> list[Bucket]:
        return [self._by_address.of(address, now), self._total] if address else [self._total]
