"""Buckets in Redis: how often something may be done at all replicas together (doit_mcp.resilience.token_bucket). Redis' clock counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .connection import BRIEFLY_S, Link
from .encryption import Box
from .errors import Away
from .key_names import evaluation
from .write_queue import Sender

# A bucket is a hash: l(eft) and when that was (a), in seconds. One that is full again is not needed any more.
# KEYS: buckets. ARGV: goes, then burst and rate of each. Milliseconds to wait; 0: the goes are taken from all of them.
TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local goes, wait, left = tonumber(ARGV[1]), 0, {}
for i, key in ipairs(KEYS) do
  local burst, rate = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local held = redis.call('HMGET', key, 'l', 'a')
  left[i] = burst
  if held[1] then left[i] = math.min(burst, held[1] + math.max(0, now - held[2]) * rate) end
  wait = math.max(wait, (math.min(goes, burst) - left[i]) / rate)
end
if wait > 0 then return math.ceil(wait * 1000) end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'l', string.format('%.6f', left[i] - goes), 'a', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((ARGV[2 * i] - left[i] + goes) / ARGV[2 * i + 1] * 1000) + 1000)
end
return 0
"""

# The same; what was taken is not needed after all.
GIVE_BACK = """
for i, key in ipairs(KEYS) do
  local left = redis.call('HGET', key, 'l')
  if left then
    redis.call('HSET', key, 'l', string.format('%.6f', math.min(tonumber(ARGV[2 * i]), left + ARGV[1])))
  end
end
return 1
"""


class Wanted(NamedTuple):
    """One bucket of those that goes are taken from."""

    name: str
    burst: float
    rate: float


class SharedBuckets:
    """Buckets of one kind, whose names cannot be read from Redis; they are waited for *within* so many seconds, or as
    long as for anything else."""

    def __init__(self, link: Link, box: Box, sender: Sender, kind: str, *, within: float | None = BRIEFLY_S) -> None:
        self._link, self._box, self._sender, self._kind, self._within = link, box, sender, kind, within

    async def take(self, wanted: Sequence[Wanted], goes: int = 1) -> float:
        """Take *goes* from each and return 0, or take none and return the seconds to wait. 0 while Redis is away."""
        keys, bounds = self._told(wanted)
        try:
            wait = await self._link.script(TAKE, keys, goes, *bounds, within=self._within)
        except Away:
            return 0.0
        return int(wait) / 1000

    def give_back(self, wanted: Sequence[Wanted], goes: int = 1) -> None:
        """They were not needed after all. Without waiting; while Redis is away, time will have filled them."""
        if not self._link.away:
            keys, bounds = self._told(wanted)
            self._sender.put((*evaluation(GIVE_BACK, keys), goes, *bounds))

    def _told(self, wanted: Sequence[Wanted]) -> tuple[list[str], list[str]]:
        keys = [self._link.key(self._kind, self._box.name(one.name)) for one in wanted]
        return keys, [repr(float(bound)) for one in wanted for bound in (one.burst, one.rate)]


class AddressTries:
    """Tries of strangers: in all, and by address where there is one (doit_mcp.auth.failed_attempts)."""

    def __init__(self, buckets: SharedBuckets, *, total: tuple[float, float], by_address: tuple[float, float]) -> None:
        self._buckets, self._total, self._by_address = buckets, Wanted("", *total), by_address

    async def take(self, address: str) -> float:
        """Take a try and return 0, or take none and return the seconds to wait. 0 while Redis is away."""
        return await self._buckets.take(self._of(address))

    def give_back(self, address: str) -> None:
        """The try turned out well: it does not count."""
        self._buckets.give_back(self._of(address))

    def _of(self, address: str) -> list[Wanted]:
        return [Wanted(address, *self._by_address), self._total] if address else [self._total]
