"""Proven tokens: hashes of credentials that the DoiT API accepted at any replica within a day. Redis' clock counts."""

from __future__ import annotations

from .connection import Link
from .encryption import Box
from .errors import Away
from .key_names import evaluation, variants
from .write_queue import Sender

LIFE_SECONDS = 86_400
MAX_PROVEN = 20_000

# KEYS: set of hashes by when each was proven last. ARGV: life, the hash under each secret.
KNOWS = """
local now = tonumber(redis.call('TIME')[1])
for i = 2, #ARGV do
  local proven = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if proven and tonumber(proven) > now - ARGV[1] then return 1 end
end
return 0
"""

# KEYS: the same. ARGV: life, most, hash.
ADD = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: the same. ARGV: the hash under each secret.
REMOVE = "return redis.call('ZREM', KEYS[1], unpack(ARGV))"


class SharedProven:
    """Implements :class:`doit_mcp.auth.failed_attempts.SharedProven`. What is kept of a token is a keyed hash of its digest."""

    def __init__(self, link: Link, box: Box, sender: Sender, *, most: int = MAX_PROVEN) -> None:
        self._link, self._box, self._sender, self._most = link, box, sender, most
        self._key = link.key("proven")

    async def knows(self, digest: bytes) -> bool:
        """Whether that token was proven; False while Redis is away."""
        try:
            return bool(await self._link.script(KNOWS, [self._key], LIFE_SECONDS, *self._hashes(digest)))
        except Away:
            return False

    def add(self, digest: bytes) -> None:
        """The DoiT API accepted that token. Without waiting."""
        self._put(ADD, LIFE_SECONDS, self._most, self._hashes(digest)[0])

    def remove(self, digest: bytes) -> None:
        """The DoiT API refused it. Without waiting."""
        self._put(REMOVE, *self._hashes(digest))

    def _put(self, script: str, *arguments: str | int) -> None:
        if not self._link.away:
            self._sender.put((*evaluation(script, [self._key]), *arguments))

    def _hashes(self, digest: bytes) -> tuple[str, ...]:
        return variants(self._box.name(digest.hex()))
