"""Limits how many invalid tokens unauthenticated clients can have checked, in total and by address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..resilience.limits import LimitExceeded
from ..resilience.token_bucket import Rate, RateLimiter, TokenBucket, TokenBuckets

# Checks of invalid tokens that clients without a valid one can cause at the DoiT API.
TOTAL_RATE = Rate(200.0, 4.0)
ADDRESS_RATE = Rate(120.0, 2.0)
# Attempts beyond the total, for addresses that valid tokens came from.
RESERVE_RATE = Rate(50.0, 1.0)
TOO_MANY_REFUSED_TOKENS = "Too many tokens were refused. Try again later."


class SharedVerifiedTokens(Protocol):
    """Tokens that any replica verified, by digest. They stay usable while many invalid tokens are sent."""

    async def contains(self, digest: bytes) -> bool:
        """Return whether this token was verified. Return False if the shared state is unavailable."""

    def add(self, digest: bytes) -> None:
        """Record that the token was verified now."""

    def remove(self, digest: bytes) -> None:
        """Record that the token is no longer valid."""


class AttemptLimiter:
    """Implements :class:`~doit_mcp.resilience.limits.Limiter` with addresses as owners: limits in total and by address.

    The address "" (unknown) has no limit of its own. Beyond *max_addresses* the least recently seen are forgotten.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        total: Rate = TOTAL_RATE,
        by_address: Rate = ADDRESS_RATE,
        max_addresses: int = 10_000,
        reserve: Rate = RESERVE_RATE,
    ) -> None:
        addresses = TokenBuckets(*by_address, max_addresses)
        self._regular, self._reserve = (
            RateLimiter(TOO_MANY_REFUSED_TOKENS, addresses, TokenBucket(*rate, clock()), clock)
            for rate in (total, reserve)
        )
        # Addresses that valid tokens came from; the least recently seen is forgotten first.
        self._trusted_addresses: dict[str, None] = {}
        self._max_trusted_addresses = max_addresses

    def acquire(self, owner: str, amount: int = 1) -> None:
        """Count attempts from the address *owner*. Raise LimitExceeded, and count none, at the limit."""
        self._regular.acquire(owner, amount)

    def try_acquire_reserved(self, address: str) -> bool:
        """Count an attempt in the share reserved for addresses that valid tokens came from.

        Return False if *address* is not one of them, or if the share is used up.
        """
        if address not in self._trusted_addresses:
            return False
        try:
            self._reserve.acquire(address)
        except LimitExceeded:
            return False
        return True

    def release(self, owner: str, amount: int = 1) -> None:
        """Uncount attempts that turned out to be valid."""
        self._regular.release(owner, amount)

    def record_success(self, address: str) -> None:
        """Record that a valid token came from *address*."""
        if address:
            self._trusted_addresses.pop(address, None)
            while len(self._trusted_addresses) >= self._max_trusted_addresses:
                del self._trusted_addresses[next(iter(self._trusted_addresses))]
            self._trusted_addresses[address] = None
