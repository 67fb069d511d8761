"""How often something may fail, in all and by address: a bucket of tries that fills up again with time."""

from __future__ import annotations

from collections.abc import Callable


class Bucket:
    """*burst* tries at once, *rate* more a second."""

    __slots__ = ("_burst", "_rate", "_left", "_at")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate, self._left, self._at = burst, rate, burst, now

    def wait(self, now: float) -> float:
        """Seconds until there is a try; 0 if there is one now."""
        # A clock that was set back fills nothing.
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._left >= 1 else (1 - self._left) / self._rate

    def take(self) -> None:
        """Use one try up."""
        self._left -= 1

    def give_back(self) -> None:
        """One try was not needed after all."""
        self._left = min(self._burst, self._left + 1)


class Tries:
    """Tries in all and by address ("" has no limit of its own); the addresses seen longest ago are forgotten."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        total: tuple[float, float],
        by_address: tuple[float, float],
        addresses: int = 10_000,
    ) -> None:
        self._clock = clock
        self._total = Bucket(*total, clock())
        self._by_address = by_address
        self._addresses = addresses
        self._buckets: dict[str, Bucket] = {}

    def take(self, address: str) -> float:
        """Take a try and return 0, or take none and return the seconds to wait."""
        now = self._clock()
        buckets = self._of(address, now)
        wait = max(bucket.wait(now) for bucket in buckets)
        if not wait:
            for bucket in buckets:
                bucket.take()
        return wait

    def give_back(self, address: str) -> None:
        """The try turned out well: it does not count."""
        for bucket in self._of(address, self._clock()):
            bucket.give_back()

    def _of(self, address: str, now: float) -> list[Bucket]:
        if not address:
            return [self._total]
        bucket = self._buckets.pop(address, None) or Bucket(*self._by_address, now)
        while len(self._buckets) >= self._addresses:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[address] = bucket
        return [bucket, self._total]
