"""Results in Redis, so that a handle from one replica works at all others (doit_mcp.catalog.stores.result_store)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from ..catalog.stores.result_store import ResultLimits
from ..resilience.unavailable import StateUnavailable
from .connection import RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import name_variants
from .scripts import load_script

log = logging.getLogger(__name__)

PUT_SCRIPT = load_script("put_result")


class RedisResultStore:
    """The results of all replicas. They expire; beyond a limit the oldest are evicted, of the owner or of all owners.

    *unavailable_error* makes the error that readers get while Redis is unavailable. *name* begins the keys in Redis, so
    that several stores can share it.
    """

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        unavailable_error: Callable[[], Exception],
        limits: ResultLimits,
        name: str = "result",
    ) -> None:
        self._connection, self._encryptor, self._unavailable_error = connection, encryptor, unavailable_error
        self._limits, self._name = limits, name

    async def put(self, owner: str, data: bytes) -> str | None:
        """Store *data* for *owner*. Return its handle, or None if it is too large or Redis is unavailable."""
        limits = self._limits
        if len(data) > limits.max_bytes:
            return None
        handle = secrets.token_urlsafe(18)
        key = self._result_key(owner, handle)
        keys = [
            self._connection.key(f"{self._name}s", self._encryptor.hash_name(owner)),
            key,
            self._connection.key(f"{self._name}s-of-all"),
        ]
        counts = (limits.per_owner, limits.owner_bytes, limits.total, limits.total_bytes)
        ttl = int(limits.ttl_seconds * 1000)
        try:
            await self._connection.run_script(
                PUT_SCRIPT, keys, self._encryptor.encrypt(key, data), len(data), ttl, *counts
            )
        except StateUnavailable:
            return None
        return handle

    async def get(self, owner: str, handle: str) -> bytes | None:
        """Return the stored data, or None. Raise the error of *unavailable_error*."""
        key = self._result_key(owner, handle)
        try:
            reply = await self._connection.execute("MGET", *name_variants(key))
        except StateUnavailable as unavailable:
            raise self._unavailable_error() from unavailable
        try:
            return next((self._encryptor.decrypt(key, encrypted) for encrypted in reply if encrypted is not None), None)
        except DecryptionError:
            log.warning("a result in Redis cannot be decrypted")
            return None

    def _result_key(self, owner: str, handle: str) -> str:
        return self._connection.key(self._name, self._encryptor.hash_name(owner), self._encryptor.hash_name(handle))
