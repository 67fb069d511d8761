"""Notes: sealed values that one replica writes and all can read, until they end by themselves."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from .connection import Link
from .encryption import Box, Broken
from .key_names import evaluation, variants
from .write_queue import Sender

log = logging.getLogger(__name__)

# KEYS: note. ARGV: key of replicas. The holder, the value, whether the holder lives.
READ = """
local found = redis.call('HMGET', KEYS[1], 'h', 'v')
if not found[1] then return false end
return {found[1], found[2], redis.call('EXISTS', ARGV[1] .. found[1])}
"""

# KEYS: note. ARGV: holder, value, life.
WRITE = """
redis.call('HSET', KEYS[1], 'h', ARGV[1], 'v', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A value, who wrote it, and whether that replica lives."""

    value: Any
    holder: str
    alive: bool


class Notes:
    """Notes of one kind, by id."""

    def __init__(self, link: Link, box: Box, sender: Sender, kind: str, replica: str) -> None:
        self._link, self._box, self._sender, self._kind, self._replica = link, box, sender, kind, replica
        self._replicas = link.key("replica", "")

    def _key(self, id: str) -> str:
        return self._link.key(self._kind, self._box.name(id))

    def write(self, id: str, value: Any, life: float) -> None:
        """Write without waiting; in the order of the calls."""
        key = self._key(id)
        fields = (self._replica, self._box.pack(key, value), max(1, int(life * 1000)))
        self._sender.put((*evaluation(WRITE, [key]), *fields))

    def drop(self, id: str) -> None:
        """Forget it."""
        self._sender.put(("DEL", *variants(self._key(id))))

    async def settled(self, seconds: float) -> None:
        """Wait so long at most until all that was written can be read."""
        if not await self._sender.settle(seconds):
            log.warning("what was written can be read only when Redis can be used again")

    async def read(self, id: str) -> Note | None:
        """The note; None where there is none. Raises Away."""
        key = self._key(id)
        found = await self._link.script(READ, [key], self._replicas)
        if found is None:
            return None
        try:
            return Note(self._box.unpack(key, found[1]), found[0].decode(), bool(found[2]))
        except Broken:
            log.warning("a note in Redis is not one of ours", extra={"kind": self._kind})
            return None
