"""Buckets: how often something may be done. A bucket holds so many goes and fills up again with time."""

from __future__ import annotations


class TokenBucket:
    """*burst* goes at once, *rate* more a second."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated_at")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate, self._tokens, self._updated_at = burst, rate, burst, now

    def wait_seconds(self, now: float, tokens: int = 1) -> float:
        """Seconds until there are so many *tokens*, or a full bucket where it holds fewer; 0 if there are now."""
        # A clock that was set back fills nothing.
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._updated_at) * self._rate)
        self._updated_at = now
        return max(0.0, min(tokens, self._burst) - self._tokens) / self._rate

    def take(self, tokens: int = 1) -> None:
        """Use goes up. More than the bucket holds leave a debt, which time pays."""
        self._tokens -= tokens

    def give_back(self, tokens: int = 1) -> None:
        """They were not needed after all."""
        self._tokens = min(self._burst, self._tokens + tokens)


class TokenBuckets:
    """A bucket for each name, all alike; those used longest ago are forgotten."""

    def __init__(self, burst: float, rate: float, max_buckets: int = 10_000) -> None:
        self._burst, self._rate, self._max_buckets = burst, rate, max_buckets
        self._buckets: dict[str, TokenBucket] = {}

    def bucket_for(self, name: str, now: float) -> TokenBucket:
        """The bucket of *name*."""
        bucket = self._buckets.pop(name, None) or TokenBucket(self._burst, self._rate, now)
        while len(self._buckets) >= self._max_buckets:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[name] = bucket
        return bucket
