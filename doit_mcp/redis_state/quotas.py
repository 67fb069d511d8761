"""Counts: how much of something each owner has at all replicas together, so that a limit is one for all of them.

Each replica says how much it holds, never what was added or taken away, so nothing that is lost or comes twice lasts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import islice

from .connection import BRIEFLY_S, Link
from .encryption import Box
from .errors import Away

# What is not said again for so long is forgotten; it is said again at every beat (seconds).
LIFE_S = 60.0
AT_ONCE = 100
# Of those who had something while Redis was away so many are remembered; what it knew of others has ended by itself.
MOST_UNSAID = 10_000

# An owner's hash has a field for each replica: the number of what it said last, and its count. A count of 0 stays a
# while, or an older message that was held up could take its place.
# KEYS: hash. ARGV: own replica, number, count, limit, key of replicas, life. Whether it is within the limit.
TAKE = """
local sum, newest = tonumber(ARGV[3]), 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local number, count = string.match(all[i + 1], '^(%d+) (%d+)$')
  if all[i] == ARGV[1] then
    newest = tonumber(number)
  elseif redis.call('EXISTS', ARGV[5] .. all[i]) == 1 then
    sum = sum + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
if sum > tonumber(ARGV[4]) then return 0 end
if tonumber(ARGV[2]) > newest then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
"""

# KEYS: hashes. ARGV: own replica, life, number, the count in each.
SAY = """
for i, key in ipairs(KEYS) do
  local held = redis.call('HGET', key, ARGV[1])
  if not held or tonumber(string.match(held, '^%d+')) < tonumber(ARGV[3]) then
    redis.call('HSET', key, ARGV[1], ARGV[3] .. ' ' .. ARGV[i + 3])
  end
  redis.call('PEXPIRE', key, ARGV[2])
end
return 1
"""


class Counts:
    """What owners have of one *kind*; *held* tells how much of it an owner has here.

    Who wants one more asks for room, and then takes it without waiting for anything between; what is not taken, or is
    given back, is put right afterwards. While Redis is away each replica has the whole limit for itself.
    """

    def __init__(
        self, link: Link, box: Box, kind: str, replica: str, *, limit: int, held: Callable[[str], int]
    ) -> None:
        self._link, self._box, self._kind, self._replica = link, box, kind, replica
        self._limit, self._held = limit, held
        self._replicas = link.key("replica", "")
        self._number = 0
        # Places that are being asked for.
        self._wanted: Counter[str] = Counter()
        # What Redis knows, by owner, and the number of that message; and who has to be said anew.
        self._said: dict[str, tuple[int, int]] = {}
        self._unsaid: dict[str, None] = {}
        self._saying: asyncio.Task[None] | None = None
        self._closed = False

    async def room(self, owner: str) -> bool:
        """Whether *owner* may have one more."""
        count = self._here(owner) + 1
        if count > self._limit:
            return False
        number = self._next()
        self._wanted[owner] += 1
        found = None
        try:
            arguments = (self._replica, number, count, self._limit, self._replicas, int(LIFE_S * 1000))
            found = await self._link.script(TAKE, [self._key(owner)], *arguments, within=BRIEFLY_S)
            return bool(found)
        except Away:
            return True
        finally:
            self._wanted[owner] -= 1
            if not self._wanted[owner]:
                del self._wanted[owner]
            if found is None:
                # Nobody knows whether Redis took it.
                self._mark(owner)
            elif found:
                self._note(owner, number, count)
            # Whoever was given room has taken it by then.
            asyncio.get_running_loop().call_soon(self.changed, owner)

    def changed(self, owner: str) -> None:
        """What *owner* has here may be another number now; without waiting."""
        if self._wanted[owner]:
            # Who asks for room says it, and comes here afterwards.
            return
        if owner in self._unsaid or self._known(owner) != self._held(owner):
            self._mark(owner)
            self._say_soon()

    async def keep(self) -> None:
        """Say everything anew: it would end, and a Redis that was started anew knows nothing."""
        self._unsaid |= dict.fromkeys(self._said)
        self._say_soon()

    async def close(self) -> None:
        """Say nothing any more (shutdown)."""
        self._closed = True
        if self._saying is not None:
            self._saying.cancel()
            await asyncio.gather(self._saying, return_exceptions=True)

    def _mark(self, owner: str) -> None:
        self._unsaid[owner] = None
        if len(self._unsaid) > MOST_UNSAID:
            del self._unsaid[next(iter(self._unsaid))]

    def _say_soon(self) -> None:
        idle = self._saying is None or self._saying.done()
        if idle and self._unsaid and not (self._link.away or self._closed):
            self._saying = asyncio.create_task(self._say())

    async def _say(self) -> None:
        """Say what has to be said, in few messages however much it is."""
        while self._unsaid:
            owners = list(islice(self._unsaid, AT_ONCE))
            counts = [self._here(owner) for owner in owners]
            number = self._next()
            for owner in owners:
                del self._unsaid[owner]
            keys = [self._key(owner) for owner in owners]
            try:
                await self._link.script(SAY, keys, self._replica, int(LIFE_S * 1000), number, *counts)
            except Away:
                # The next beat says it.
                self._unsaid |= dict.fromkeys(owners)
                return
            for owner, count in zip(owners, counts, strict=True):
                self._note(owner, number, count)
                if count != self._here(owner):
                    self._unsaid[owner] = None

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _known(self, owner: str) -> int:
        return self._said[owner][1] if owner in self._said else 0

    def _note(self, owner: str, number: int, count: int) -> None:
        """Redis knows this, unless it knows something newer."""
        if owner not in self._said or number > self._said[owner][0]:
            if count:
                self._said[owner] = number, count
            else:
                self._said.pop(owner, None)

    def _here(self, owner: str) -> int:
        return self._held(owner) + self._wanted[owner]

    def _key(self, owner: str) -> str:
        return self._link.key(f"{self._kind}-in-use", self._box.name(owner))
