"""Consents in Redis: one that was used at a replica counts at no other one (doit_mcp.server.consents)."""

from __future__ import annotations

from .box import Box
from .link import Link

# KEYS: the owner's used consents by the time when they were asked for; the time up to which all count as used.
# ARGV: id, asked, life, most consents. 1: it counts.
USE = """
local floor = tonumber(redis.call('GET', KEYS[2]) or '-1')
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

    def __init__(self, link: Link, box: Box, *, life: float, per_owner: int) -> None:
        self._link, self._box, self._life, self._per_owner = link, box, int(life * 1000), per_owner

    async def use(self, owner: str, asked: int, id: str) -> bool:
        """Whether the consent may count. Raises Away."""
        name = self._box.name(owner)
        keys = [self._link.key("consents", name), self._link.key("consents-floor", name)]
        return bool(await self._link.script(USE, keys, self._box.name(id), asked, self._life, self._per_owner))
