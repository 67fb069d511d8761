"""Buckets: how often something may be done. A bucket holds so many goes and fills up again with time."""

from __future__ import annotations


class Bucket:
    """*burst* goes at once, *rate* more a second."""

    __slots__ = ("_burst", "_rate", "_left", "_at")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate, self._left, self._at = burst, rate, burst, now

    def wait(self, now: float, goes: int = 1) -> float:
        """Seconds until there are so many *goes*, or a full bucket where it holds fewer; 0 if there are now."""
        # A clock that was set back fills nothing.
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        return max(0.0, min(goes, self._burst) - self._left) / self._rate

    def take(self, goes: int = 1) -> None:
        """Use goes up. More than the bucket holds leave a debt, which time pays."""
        self._left -= goes

    def give_back(self, goes: int = 1) -> None:
        """They were not needed after all."""
        self._left = min(self._burst, self._left + goes)


class Buckets:
    """A bucket for each name, all alike; those used longest ago are forgotten."""

    def __init__(self, burst: float, rate: float, most: int = 10_000) -> None:
        self._burst, self._rate, self._most = burst, rate, most
        self._all: dict[str, Bucket] = {}

    def of(self, name: str, now: float) -> Bucket:
        """The bucket of *name*."""
        bucket = self._all.pop(name, None) or Bucket(self._burst, self._rate, now)
        while len(self._all) >= self._most:
            del self._all[next(iter(self._all))]
        self._all[name] = bucket
        return bucket
