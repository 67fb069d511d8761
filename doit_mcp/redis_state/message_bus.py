"""Bus: what replicas tell each other. One stream that all of them read, and one for each; read by one task."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from .connection import Command, Link
from .encryption import Box, Broken
from .errors import Away
from .key_names import variants
from .write_queue import Sender

log = logging.getLogger(__name__)

Body = dict[str, Any]
Handler = Callable[[Body], Awaitable[None]]

# A replica says so often that it is alive, and is dead when it has not said so for the life (seconds).
BEAT_S, LIFE_S = 3.0, 20.0
BLOCK_S = 5.0
AT_ONCE = 100
PAUSE_S = 0.2
MOST_CHANGES = 5_000
MOST_INBOX = 100_000
STREAM_LIFE_S = 600
MOST_SENDERS = 1_000
LAST_WORDS_S = 2.0
EVERYTHING = "0-0"

# KEYS: stream. ARGV: most, life, origin, number, message.
ALL = """
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'o', ARGV[3], 'n', ARGV[4], 'm', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
# The same; KEYS[2] says that the receiver lives. What is for a dead one is dropped.
ONE = "if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end" + ALL

# KEYS: streams. The newest id of each.
NEWEST = """
local found = {}
for i, key in ipairs(KEYS) do
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  found[i] = last[1] and last[1][1] or '0-0'
end
return found
"""


class Bus:
    """The post of one replica. Messages are sealed JSON objects; each kind has a handler.

    A message is taken once, in the order of its sender, even where it had to be sent twice.
    """

    def __init__(self, link: Link, box: Box, *, beat: float = BEAT_S, life: float = LIFE_S) -> None:
        self.id = secrets.token_hex(8)
        self.sender = Sender(link)
        self._link, self._box, self._beat, self._life = link, box, beat, life
        self._number = 0
        self._handlers: dict[str, Handler] = {}
        self._echoes: dict[str, Handler] = {}
        self._keepers: list[Callable[[], Awaitable[None]]] = []
        # Each under every secret: replicas write where their own current one leads, and read everywhere.
        self._changes = variants(link.key("changes"))
        self._inboxes = variants(link.key("inbox", self.id))
        self._alive = variants(self.alive(self.id))
        self._positions: list[str] = []
        # The number of the last message of each sender, by stream.
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()

    def on(self, kind: str, handler: Handler) -> None:
        """Have messages of this kind handled."""
        self._handlers[kind] = handler

    def on_own(self, kind: str, handler: Handler) -> None:
        """Have own broadcasts of this kind handled where they stand among those of others: all replicas read the same
        order."""
        self._echoes[kind] = handler

    def at_each_beat(self, keeper: Callable[[], Awaitable[None]]) -> None:
        """Have something done regularly, as long as Redis can be used."""
        self._keepers.append(keeper)

    def alive(self, replica: str) -> str:
        """The key that is there while that replica lives."""
        return self._link.key("replica", replica)

    def broadcast(self, kind: str, **body: Any) -> bool:
        """Tell all other replicas; False where there is no room for it."""
        return self._put(ALL, [self._changes[0]], MOST_CHANGES, {"kind": kind, **body})

    def tell(self, replica: str, kind: str, **body: Any) -> None:
        """Tell one replica, if it lives."""
        keys = [str(self._link.key("inbox", replica)), str(self.alive(replica))]
        self._put(ONE, keys, MOST_INBOX, {"kind": kind, **body})

    def _put(self, script: str, keys: list[str], most: int, body: Body) -> bool:
        self._number += 1
        sealed = self._box.pack(f"{keys[0]} {self.id} {self._number}", body)
        command: Command = ("EVAL", script, len(keys), *keys, most, STREAM_LIFE_S, self.id, self._number, sealed)
        return self.sender.put(command)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take part while the block runs."""
        try:
            await self._say_alive()
            await self._take_position()
        except Away:
            log.warning("started without Redis; sessions are refused until it can be used")
            # Others may use it before this one does, so nothing that stands there then is too old.
            self._positions = [EVERYTHING for _ in self._streams]
        post = [asyncio.create_task(_steadily(work)) for work in (self.sender.run, self._read)]
        beating = asyncio.create_task(_steadily(self._beating))
        try:
            yield
            # Who says farewell is not heard of again.
            await _stopped(beating)
            await self._leave()
        finally:
            await _stopped(beating, *post)

    async def _leave(self) -> None:
        """Send what is still to be sent; then this replica is dead for the others."""
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self.sender.flush()
                await self._link.run("DEL", *self._alive, *self._inboxes)
        except (TimeoutError, Away):
            log.warning("Redis was away at the end; other replicas find out by themselves")

    async def _say_alive(self) -> None:
        for key in self._alive:
            await self._link.run("SET", key, "1", "PX", int(self._life * 1000))

    async def _beating(self) -> None:
        while True:
            try:
                await self._say_alive()
                for keeper in self._keepers:
                    await keeper()
            except Away:
                await asyncio.sleep(PAUSE_S)
                continue
            await asyncio.sleep(self._beat)

    @property
    def _streams(self) -> tuple[str, ...]:
        return (*self._changes, *self._inboxes)

    async def _take_position(self) -> None:
        """Read from here on. A Redis that forgot everything may begin anew below what was read before."""
        newest = [one.decode() for one in await self._link.script(NEWEST, self._streams)]
        old = self._positions or newest
        self._positions = [min(pair, key=_order) for pair in zip(old, newest, strict=True)]

    async def _read(self) -> None:
        while True:
            try:
                await self._read_once()
            except Away:
                await asyncio.sleep(PAUSE_S)
                try:
                    await self._take_position()
                except Away:
                    continue

    async def _read_once(self) -> None:
        streams = self._streams
        how: tuple[str | int, ...] = ("COUNT", AT_ONCE, "BLOCK", int(BLOCK_S * 1000))
        answer = await self._link.run("XREAD", *how, "STREAMS", *streams, *self._positions, patience=BLOCK_S)
        for name, entries in answer or ():
            stream = name.decode()
            for id, fields in entries:
                await self._take(stream, fields)
                self._positions[streams.index(stream)] = id.decode()
            if stream in self._inboxes:
                await self._link.run("XDEL", stream, *(id for id, _ in entries))

    async def _take(self, stream: str, fields: dict[bytes, bytes]) -> None:
        try:
            origin, number = fields[b"o"].decode(), int(fields[b"n"])
        except (KeyError, ValueError):
            log.warning("an entry in Redis is not one of ours")
            return
        if number <= self._seen.get((stream, origin), 0):
            return
        try:
            body = self._box.unpack(f"{stream} {origin} {number}", fields[b"m"])
            await self._handled(origin, body)
        except Broken:
            log.warning("a message in Redis is not one of ours")
        except Away:
            # It is read again when Redis can be used.
            raise
        except Exception:
            # One message that cannot be handled must not end the reading of all others.
            log.exception("a message of another replica could not be handled")
        self._seen[stream, origin] = number
        self._seen.move_to_end((stream, origin))
        if len(self._seen) > MOST_SENDERS:
            self._seen.popitem(last=False)

    async def _handled(self, origin: str, body: Body) -> None:
        kind = body.pop("kind")
        if origin != self.id:
            await self._handlers[kind](body)
        elif kind in self._echoes:
            await self._echoes[kind](body)


async def _stopped(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _steadily(work: Callable[[], Awaitable[None]]) -> None:
    """Run *work*, which never ends by itself; a bug in it must not silence this replica."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("the post of this replica failed and goes on")
            await asyncio.sleep(PAUSE_S)


def _order(id: str) -> tuple[int, int]:
    first, _, second = id.partition("-")
    return int(first), int(second)
