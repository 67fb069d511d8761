"""Limits how often something happens at all replicas together, with token buckets in Redis, by the clock of Redis."""

from __future__ import annotations

from typing import NamedTuple

from ..resilience.limits import LimitExceeded
from ..resilience.token_bucket import Rate
from ..resilience.unavailable import StateUnavailable
from .connection import SHORT_TIMEOUT_SECONDS, RedisConnection
from .encryption import Encryptor
from .key_names import eval_command
from .scripts import load_script
from .write_queue import WriteQueue

TAKE_SCRIPT = load_script("take_tokens")
RETURN_SCRIPT = load_script("return_tokens")


class _Buckets(NamedTuple):
    """The keys of the buckets that one request takes tokens from, and the burst and rate of each."""

    keys: list[str]
    rates: tuple[str, ...]


class RedisRateLimiter:
    """Implements :class:`~doit_mcp.resilience.limits.SharedLimiter` for a rate per owner and, with *total*, for all.

    The owner "" has no rate of its own. *message* is the message of LimitExceeded. A request waits for Redis for
    *max_wait* seconds, or for the usual timeout if that is None.
    """

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        write_queue: WriteQueue,
        kind: str,
        message: str,
        *,
        per_owner: Rate,
        total: Rate | None = None,
        max_wait: float | None = SHORT_TIMEOUT_SECONDS,
    ) -> None:
        self._connection, self._encryptor, self._write_queue, self._kind = connection, encryptor, write_queue, kind
        self._message, self._max_wait = message, max_wait
        self._owner_rate = _rate_arguments(per_owner)
        # The bucket of all owners has the name "", which no owner has.
        self._total_rate = None if total is None else _rate_arguments(total)

    async def acquire(self, owner: str, amount: int = 1) -> None:
        """Take *amount* tokens. Raise LimitExceeded, and take none, at the limit. Admit all if Redis is unavailable."""
        keys, rates = self._buckets_for(owner)
        try:
            wait = await self._connection.run_script(TAKE_SCRIPT, keys, amount, *rates, max_wait=self._max_wait)
        except StateUnavailable:
            return
        if milliseconds := int(wait):
            raise LimitExceeded("owner", milliseconds / 1000, self._message)

    def release(self, owner: str, amount: int = 1) -> None:
        """Return unused tokens without waiting. Do nothing while Redis is unavailable: time refills the buckets."""
        if not self._connection.unavailable:
            keys, rates = self._buckets_for(owner)
            self._write_queue.put((*eval_command(RETURN_SCRIPT, keys), amount, *rates))

    def _buckets_for(self, owner: str) -> _Buckets:
        if self._total_rate is None:
            return _Buckets([self._key(owner)], self._owner_rate)
        if not owner:
            return _Buckets([self._key("")], self._total_rate)
        return _Buckets([self._key(owner), self._key("")], self._owner_rate + self._total_rate)

    def _key(self, name: str) -> str:
        return self._connection.key(self._kind, self._encryptor.hash_name(name))


def _rate_arguments(rate: Rate) -> tuple[str, ...]:
    return repr(float(rate.burst)), repr(float(rate.per_second))
