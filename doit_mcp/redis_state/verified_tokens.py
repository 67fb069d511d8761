"""Hashes of tokens that the DoiT API accepted at any replica within a day, by the clock of Redis."""

from __future__ import annotations

from ..resilience.unavailable import StateUnavailable
from .connection import RedisConnection
from .encryption import Encryptor
from .key_names import eval_command, name_variants
from .scripts import load_script
from .write_queue import WriteQueue

TTL_SECONDS = 86_400
MAX_TOKENS = 20_000

CONTAINS_SCRIPT = load_script("find_verified_token")
ADD_SCRIPT = load_script("add_verified_token")
REMOVE_SCRIPT = load_script("remove_verified_token")


class RedisVerifiedTokens:
    """Implements :class:`doit_mcp.auth.failed_attempts.SharedVerifiedTokens`. Redis stores keyed hashes of digests."""

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        write_queue: WriteQueue,
        *,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._connection, self._encryptor, self._write_queue, self._max_tokens = (
            connection,
            encryptor,
            write_queue,
            max_tokens,
        )
        self._key = connection.key("proven")

    async def contains(self, digest: bytes) -> bool:
        """Return whether this token was verified. Return False while Redis is unavailable."""
        try:
            return bool(
                await self._connection.run_script(CONTAINS_SCRIPT, [self._key], TTL_SECONDS, *self._hashes(digest))
            )
        except StateUnavailable:
            return False

    def add(self, digest: bytes) -> None:
        """Record that the DoiT API accepted the token, without waiting."""
        self._enqueue(ADD_SCRIPT, TTL_SECONDS, self._max_tokens, self._hashes(digest)[0])

    def remove(self, digest: bytes) -> None:
        """Record that the DoiT API refused the token, without waiting."""
        self._enqueue(REMOVE_SCRIPT, *self._hashes(digest))

    def _enqueue(self, script: str, *arguments: str | int) -> None:
        if not self._connection.unavailable:
            self._write_queue.put((*eval_command(script, [self._key]), *arguments))

    def _hashes(self, digest: bytes) -> tuple[str, ...]:
        return name_variants(self._encryptor.hash_name(digest.hex()))
