"""Consents in Redis, so that each counts only once at all replicas together (doit_mcp.server.consents)."""

from __future__ import annotations

import logging

from ..resilience.unavailable import StateUnavailable
from .connection import RedisConnection
from .encryption import Encryptor
from .scripts import load_script

log = logging.getLogger(__name__)

MARK_SCRIPT = load_script("mark_consents_start")
USE_SCRIPT = load_script("use_consent")


class RedisConsents:
    """The used consents of all replicas. While Redis is unavailable no consent can be checked, so none counts."""

    def __init__(
        self, connection: RedisConnection, encryptor: Encryptor, *, lifetime_seconds: float, per_owner: int
    ) -> None:
        self._connection, self._encryptor, self._lifetime_seconds, self._per_owner = (
            connection,
            encryptor,
            int(lifetime_seconds * 1000),
            per_owner,
        )
        self._since = connection.key("consents-since")

    async def record_start(self) -> None:
        """Set the time since which Redis records used consents, before the first question.

        While Redis is unavailable, the first use of a consent sets it instead, and that user is asked once more.
        """
        try:
            await self._connection.run_script(MARK_SCRIPT, [self._since])
        except StateUnavailable:
            log.warning("Redis is unavailable; some users may be asked to confirm again")

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Use a consent. Return whether it counts. Raise StateUnavailable."""
        name = self._encryptor.hash_name(owner)
        keys = [self._connection.key("consents", name), self._connection.key("consents-floor", name), self._since]
        return bool(
            await self._connection.run_script(
                USE_SCRIPT, keys, self._encryptor.hash_name(id), asked_at, self._lifetime_seconds, self._per_owner
            )
        )
