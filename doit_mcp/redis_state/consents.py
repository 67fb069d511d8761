"""Consents in Redis: one that was used at a replica counts at no other one (doit_mcp.server.consents)."""

from __future__ import annotations

import logging

from .connection import RedisConnection
from .encryption import Encryptor
from .errors import Unavailable

log = logging.getLogger(__name__)

# The marker, without an end: the time of Redis, in milliseconds, at which it began to know used consents. A Redis that
# lost everything has a new one, so that what was used before it counts as used.
SINCE_FUNCTION = """
local function since(key)
  local now = redis.call('TIME')
  redis.call('SET', key, string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000)), 'NX')
  return tonumber(redis.call('GET', key))
end
"""
# KEYS: the marker.
MARK_SCRIPT = f"{SINCE_FUNCTION} return since(KEYS[1])"
# KEYS: the owner's used consents by the time when they were asked for; the time up to which all count as used; the
# marker. ARGV: id, asked, life, most consents. 1: it counts.
USE_SCRIPT = f"""{SINCE_FUNCTION}
local floor = math.max(since(KEYS[3]), tonumber(redis.call('GET', KEYS[2]) or '-1'))
if tonumber(ARGV[2]) <= floor then return 0 end
if redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1]) == 0 then return 0 end
if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[4]) then
  floor = redis.call('ZPOPMIN', KEYS[1])[2]
  redis.call('SET', KEYS[2], floor)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
"""


class RedisConsents:
    """Used consents of all replicas. While Redis cannot be used none can be checked, so none counts: Away is raised."""

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
        """Set the marker, where there is none, before anybody is asked. While Redis cannot be used the first use of a
        consent sets it instead, and that user is asked once more."""
        try:
            await self._connection.run_script(MARK_SCRIPT, [self._since])
        except Unavailable:
            log.warning("the time since which consents are known could not be recorded yet")

    async def use(self, owner: str, asked_at: int, id: str) -> bool:
        """Whether the consent may count. Raises Away."""
        name = self._encryptor.hash_name(owner)
        keys = [self._connection.key("consents", name), self._connection.key("consents-floor", name), self._since]
        return bool(
            await self._connection.run_script(
                USE_SCRIPT, keys, self._encryptor.hash_name(id), asked_at, self._lifetime_seconds, self._per_owner
            )
        )
