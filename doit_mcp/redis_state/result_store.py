"""Results in Redis: a handle made at one replica leads to its table at every other (doit_mcp.catalog.stores.result_store)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from .connection import Link
from .encryption import Box, Broken
from .errors import Away
from .key_names import variants

log = logging.getLogger(__name__)

# KEYS: the owner's list of "size key", oldest first; the new result; those of all owners by time. ARGV: data, size,
# life, most results and bytes of the owner, and of all.
PUT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- First: a full Redis refuses a script only at its first write, and then nothing has changed.
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
local live, held, size = {}, 0, tonumber(ARGV[2])
for _, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local bytes, key = string.match(item, '^(%d+) (.*)$')
  if redis.call('EXISTS', key) == 1 then
    live[#live + 1] = {item, key, tonumber(bytes)}
    held = held + tonumber(bytes)
  else
    redis.call('LREM', KEYS[1], 1, item)
  end
end
local first = 1
while first <= #live and (#live - first + 1 >= tonumber(ARGV[4]) or held + size > tonumber(ARGV[5])) do
  redis.call('UNLINK', live[first][2])
  redis.call('LREM', KEYS[1], 1, live[first][1])
  redis.call('ZREM', KEYS[3], live[first][1])
  held = held - live[first][3]
  first = first + 1
end
redis.call('RPUSH', KEYS[1], ARGV[2] .. ' ' .. KEYS[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3] * 1000)
redis.call('ZADD', KEYS[3], now, ARGV[2] .. ' ' .. KEYS[2])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
local sum = 0
for place, item in ipairs(redis.call('ZREVRANGE', KEYS[3], 0, -1)) do
  local bytes, key = string.match(item, '^(%d+) (.*)$')
  sum = sum + tonumber(bytes)
  if place > tonumber(ARGV[6]) or sum > tonumber(ARGV[7]) then
    redis.call('UNLINK', key)
    redis.call('ZREM', KEYS[3], item)
  end
end
return 1
"""


class RedisResults:
    """Results of all replicas. The oldest make room for newer ones, first the owner's own, then anybody's; all go by
    themselves after their life.

    *unavailable* makes the error that a reader gets while Redis is away.
    """

    def __init__(
        self,
        link: Link,
        box: Box,
        unavailable: Callable[[], Exception],
        *,
        life: float,
        most_bytes: int,
        per_owner: int,
        owner_bytes: int,
        total: int,
        total_bytes: int,
    ) -> None:
        self._link, self._box, self._unavailable = link, box, unavailable
        self._life, self._most, self._per_owner, self._owner_bytes = life, most_bytes, per_owner, owner_bytes
        self._total, self._total_bytes = total, total_bytes

    async def put(self, owner: str, data: bytes) -> str | None:
        """Keep *data* for *owner*; None where it is too large, or cannot be kept at the moment."""
        if len(data) > min(self._most, self._owner_bytes, self._total_bytes):
            return None
        handle = secrets.token_urlsafe(18)
        place = self._place(owner, handle)
        keys = [self._link.key("results", self._box.name(owner)), place, self._link.key("results-of-all")]
        bounds = (self._per_owner, self._owner_bytes, self._total, self._total_bytes)
        try:
            await self._link.script(PUT, keys, self._box.close(place, data), len(data), int(self._life * 1000), *bounds)
        except Away:
            return None
        return handle

    async def get(self, owner: str, handle: str) -> bytes | None:
        """What was kept. Raises the error of *unavailable* when Redis cannot be asked."""
        place = self._place(owner, handle)
        try:
            found = await self._link.run("MGET", *variants(place))
        except Away as away:
            raise self._unavailable() from away
        try:
            return next((self._box.open(place, sealed) for sealed in found if sealed is not None), None)
        except Broken:
            log.warning("a result in Redis is not what was put there")
            return None

    def _place(self, owner: str, handle: str) -> str:
        return self._link.key("result", self._box.name(owner), self._box.name(handle))
