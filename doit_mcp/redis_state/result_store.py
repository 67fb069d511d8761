"""Results in Redis: a handle made at one replica leads to its table at every other (doit_mcp.catalog.stores.result_store)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from ..resilience.unavailable import StateUnavailable
from .connection import RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import name_variants
from .scripts import load_script

log = logging.getLogger(__name__)

PUT_SCRIPT = load_script("put_result")


class RedisResultStore:
    """Results of all replicas. The oldest make room for newer ones, first the owner's own, then anybody's; all go by
    themselves after their life.

    *unavailable* makes the error that a reader gets while Redis is away.
    """

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        unavailable_error: Callable[[], Exception],
        *,
        ttl: float,
        max_result_bytes: int,
        per_owner: int,
        owner_bytes: int,
        total: int,
        total_bytes: int,
    ) -> None:
        self._connection, self._encryptor, self._unavailable_error = connection, encryptor, unavailable_error
        self._ttl, self._max_result_bytes, self._per_owner, self._owner_bytes = (
            ttl,
            max_result_bytes,
            per_owner,
            owner_bytes,
        )
        self._total, self._total_bytes = total, total_bytes

    async def put(self, owner: str, data: bytes) -> str | None:
        """Keep *data* for *owner*; None where it is too large, or cannot be kept at the moment."""
        if len(data) > min(self._max_result_bytes, self._owner_bytes, self._total_bytes):
            return None
        handle = secrets.token_urlsafe(18)
        place = self._result_key(owner, handle)
        keys = [
            self._connection.key("results", self._encryptor.hash_name(owner)),
            place,
            self._connection.key("results-of-all"),
        ]
        bounds = (self._per_owner, self._owner_bytes, self._total, self._total_bytes)
        try:
            await self._connection.run_script(
                PUT_SCRIPT, keys, self._encryptor.encrypt(place, data), len(data), int(self._ttl * 1000), *bounds
            )
        except StateUnavailable:
            return None
        return handle

    async def get(self, owner: str, handle: str) -> bytes | None:
        """What was kept. Raises the error of *unavailable* when Redis cannot be asked."""
        place = self._result_key(owner, handle)
        try:
            found = await self._connection.execute("MGET", *name_variants(place))
        except StateUnavailable as away:
            raise self._unavailable_error() from away
        try:
            return next((self._encryptor.decrypt(place, sealed) for sealed in found if sealed is not None), None)
        except DecryptionError:
            log.warning("a result in Redis is not what was put there")
            return None

    def _result_key(self, owner: str, handle: str) -> str:
        return self._connection.key("result", self._encryptor.hash_name(owner), self._encryptor.hash_name(handle))
