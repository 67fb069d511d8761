"""Logs: what was sent on one stream of a session, kept in Redis for a client that comes back at another replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .connection import Link
from .encryption import Box, Broken
from .key_names import evaluation, joined, variants
from .write_queue import Sender

AT_ONCE = 50
# How long the opening of a log is waited for; it is the first thing that a client may come back for (seconds).
OPENING_S = 2.0

# An entry's id is the number of its message, 0-1 for the beginning. Of one that is there already nothing is made.
# What the log is about has a key of its own: it can be large, so it is stored once, not with each message.
# KEYS: log, about. ARGV: life, most, id, message, whether it is the last, holder, about (with the beginning alone).
ADD = """
local done = redis.pcall('XADD', KEYS[1], 'MAXLEN', ARGV[2], ARGV[3], 'm', ARGV[4], 'l', ARGV[5], 'h', ARGV[6])
if type(done) == 'table' and done.err and not string.find(done.err, 'equal or smaller', 1, true) then return done end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if ARGV[7] then redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[1]) else redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
return 1
"""

# KEYS: log, about. ARGV: number after which, most, key of replicas. Nothing where there is no log.
# First and last number, whether the last is there, about, holder, whether it lives; the messages.
READ = """
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return false end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local fields = {}
for i = 1, #last[2], 2 do fields[last[2][i]] = last[2][i + 1] end
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-1', '+', 'COUNT', ARGV[2])
local alive = redis.call('EXISTS', ARGV[3] .. fields['h'])
return {first[1], last[1], fields['l'], redis.call('GET', KEYS[2]), fields['h'], alive, found}
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What a log has. *about* is what its holder said of it, None if Redis lost that; *done*: *last* is the end."""

    first: int
    last: int
    done: bool
    about: Any
    holder: str
    alive: bool
    messages: list[tuple[int, bytes]]


class Logs:
    """Logs by session and stream. Each is written by one replica alone, so the numbers of messages are its own."""

    def __init__(self, link: Link, box: Box, sender: Sender, replica: str, *, life: float, most_events: int) -> None:
        self._link, self._box, self._sender, self._replica = link, box, sender, replica
        self._life, self._most = int(life * 1000), most_events
        self._replicas = link.key("replica", "")

    def _keys(self, session: str, stream: str) -> list[str]:
        """The keys of a log and of what it is about."""
        key = self._link.key("log", self._box.name(f"{session} {stream}"))
        return [key, joined(":", (key, "about"))]

    async def begin(self, session: str, stream: str, about: Any) -> None:
        """A new log; it is there afterwards unless Redis is away."""
        keys = self._keys(session, stream)
        self._put(keys, "0-1", b"", False, self._box.pack(keys[1], about))
        # Otherwise it will be there when Redis is; until then the client finds it at this replica.
        await self._sender.settle(OPENING_S)

    async def add(self, session: str, stream: str, number: int, data: bytes, *, last: bool) -> None:
        """Add a message; without *data*: the end alone."""
        await self._sender.room()
        self._put(self._keys(session, stream), f"{number}-0" if data else f"{number}-1", data, last)

    def _put(self, keys: list[str], id: str, data: bytes, last: bool, *about: bytes) -> None:
        sealed = self._box.close(joined(" ", (keys[0], id)), data) if data else b""
        fields: tuple[str | bytes | int, ...] = (id, sealed, int(last), self._replica, *about)
        # The beginning takes a place, too.
        self._sender.put((*evaluation(ADD, keys), self._life, self._most + 1, *fields))

    def drop(self, session: str, stream: str) -> None:
        """Forget a log."""
        keys = self._keys(session, stream)
        self._sender.put(("DEL", *(variant for key in keys for variant in variants(key))))

    async def read(self, session: str, stream: str, number: int) -> Page | None:
        """The next messages after *number*; None where there is no log (any more). Raises Away."""
        keys = key, about_key = self._keys(session, stream)
        found = await self._link.script(READ, keys, number, AT_ONCE, self._replicas)
        if found is None:
            return None
        first, last, done, about, holder, alive, entries = found
        try:
            messages = [
                (_number(id), self._box.open(joined(" ", (key, id.decode())), _field(fields, b"m")))
                for id, fields in entries
                if _field(fields, b"m")
            ]
            said = None if about is None else self._box.unpack(about_key, about)
        except Broken:
            return None
        begun = first == b"0-1"
        return Page(
            0 if begun else _number(first), _number(last), done == b"1", said, holder.decode(), bool(alive), messages
        )


def _number(id: bytes) -> int:
    return int(id.partition(b"-")[0])


def _field(flat: Sequence[bytes], name: bytes) -> bytes:
    return flat[flat.index(name) + 1]
