"""Sender: commands to Redis that nobody waits for, done in their order; none is lost while Redis is away a while."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import islice

from .connection import Command, Link, is_full
from .errors import Away

log = logging.getLogger(__name__)

MOST = 10_000
MOST_BYTES = 64 << 20
AT_ONCE = 64
# What a command takes besides its bytes.
ROOM = 200
# Between attempts while Redis is away (seconds).
FIRST_PAUSE_S, PAUSE_S = 0.05, 0.5
# A command that Redis refuses so often will be refused for ever.
ATTEMPTS = 60
# While Redis is full only the first message is tried again; the others must not wait behind it.
ATTEMPTS_WHEN_FULL = 5


class Sender:
    """A bounded queue and the one task that empties it. A command may be done twice when Redis' answer was lost."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._queue: deque[tuple[Command, int]] = deque()
        self._bytes = 0
        self._refused = 0
        self._filled = asyncio.Event()
        self._gone = asyncio.Event()
        self._done = self._put = 0
        self._dropping = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return len(self._queue) >= MOST or self._bytes >= MOST_BYTES

    def put(self, command: Command) -> bool:
        """Have *command* done after all that were put before; False where there is no room for it."""
        if self.full:
            if not self._dropping:
                self._dropping = True
                log.error("too much waits for Redis; messages are dropped")
            return False
        self._dropping = False
        size = ROOM + sum(len(part) for part in command if isinstance(part, (str, bytes)))
        self._queue.append((command, size))
        self._bytes += size
        self._put += 1
        self._filled.set()
        return True

    async def room(self) -> None:
        """Wait until there is room."""
        while self.full:
            self._gone.clear()
            await self._gone.wait()

    async def flush(self) -> None:
        """Wait until all that was put so far is done."""
        wanted = self._put
        while self._done < wanted:
            self._gone.clear()
            await self._gone.wait()

    async def settle(self, seconds: float) -> bool:
        """The same, but not for longer than that, and not at all while Redis is away; whether it is done."""
        if self._link.away:
            return self._done == self._put
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Do what is put, for ever."""
        pause = FIRST_PAUSE_S
        while True:
            while not self._queue:
                self._filled.clear()
                await self._filled.wait()
            if await self._send():
                pause = FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE_S)

    async def _send(self) -> bool:
        """Whether everything that was tried is done."""
        batch = list(islice(self._queue, AT_ONCE))
        try:
            answers = await self._link.all([command for command, _ in batch])
        except Away:
            return False
        for (command, _), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                if not self._given_up(answer):
                    return False
            # A full Redis still deletes, so that says nothing about the other messages.
            elif command[0] != "DEL":
                self._refused = 0
            _, size = self._queue.popleft()
            self._bytes -= size
            self._done += 1
            self._gone.set()
        return True

    def _given_up(self, failure: Exception) -> bool:
        """Whether a message that Redis refused is dropped."""
        self._refused += 1
        if is_full(failure):
            self._link.refused_for_memory()
            return self._refused >= ATTEMPTS_WHEN_FULL
        if self._refused < ATTEMPTS:
            return False
        log.error("Redis refuses a message for good", extra={"failure": type(failure).__name__})
        self._refused = 0
        return True
