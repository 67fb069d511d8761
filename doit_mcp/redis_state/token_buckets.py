"""Buckets in Redis: how often something may be done at all replicas together (doit_mcp.resilience.token_bucket). Redis' clock counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .connection import SHORT_TIMEOUT_SECONDS, RedisConnection
from .encryption import Encryptor
from .errors import Unavailable
from .key_names import eval_command
from .scripts import load_script
from .write_queue import WriteQueue

TAKE_SCRIPT = load_script("take_tokens")
GIVE_BACK_SCRIPT = load_script("return_tokens")


class BucketRequest(NamedTuple):
    """One bucket of those that goes are taken from."""

    name: str
    burst: float
    rate: float


class RedisTokenBuckets:
    """Buckets of one kind, whose names cannot be read from Redis; they are waited for *within* so many seconds, or as
    long as for anything else."""

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        write_queue: WriteQueue,
        kind: str,
        *,
        max_wait: float | None = SHORT_TIMEOUT_SECONDS,
    ) -> None:
        self._connection, self._encryptor, self._write_queue, self._kind, self._max_wait = (
            connection,
            encryptor,
            write_queue,
            kind,
            max_wait,
        )

    async def take(self, buckets: Sequence[BucketRequest], tokens: int = 1) -> float:
        """Take *tokens* from each and return 0, or take none and return the seconds to wait. 0 while Redis is away."""
        keys, bounds = self._keys_and_bounds(buckets)
        try:
            wait = await self._connection.run_script(TAKE_SCRIPT, keys, tokens, *bounds, max_wait=self._max_wait)
        except Unavailable:
            return 0.0
        return int(wait) / 1000

    def give_back(self, buckets: Sequence[BucketRequest], tokens: int = 1) -> None:
        """They were not needed after all. Without waiting; while Redis is away, time will have filled them."""
        if not self._connection.unavailable:
            keys, bounds = self._keys_and_bounds(buckets)
            self._write_queue.put((*eval_command(GIVE_BACK_SCRIPT, keys), tokens, *bounds))

    def _keys_and_bounds(self, buckets: Sequence[BucketRequest]) -> tuple[list[str], list[str]]:
        keys = [self._connection.key(self._kind, self._encryptor.hash_name(one.name)) for one in buckets]
        return keys, [repr(float(bound)) for one in buckets for bound in (one.burst, one.rate)]


class RedisAttemptLimiter:
    """Tries of strangers: in all, and by address where there is one (doit_mcp.auth.failed_attempts)."""

    def __init__(
        self, buckets: RedisTokenBuckets, *, total: tuple[float, float], by_address: tuple[float, float]
    ) -> None:
        self._buckets, self._total, self._by_address = buckets, BucketRequest("", *total), by_address

    async def take(self, address: str) -> float:
        """Take a try and return 0, or take none and return the seconds to wait. 0 while Redis is away."""
        return await self._buckets.take(self._buckets_for(address))

    def give_back(self, address: str) -> None:
        """The try turned out well: it does not count."""
        self._buckets.give_back(self._buckets_for(address))

    def _buckets_for(self, address: str) -> list[BucketRequest]:
        return [BucketRequest(address, *self._by_address), self._total] if address else [self._total]
