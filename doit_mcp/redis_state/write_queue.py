"""Sender: commands to Redis that nobody waits for, done in their order; none is lost while Redis is away a while."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import islice

from ..resilience.unavailable import StateUnavailable
from .connection import Command, RedisConnection
from .errors import is_out_of_memory

log = logging.getLogger(__name__)

MAX_QUEUED_COMMANDS = 10_000
MAX_QUEUED_BYTES = 64 << 20
MAX_COMMANDS_PER_BATCH = 64
# What a command takes besides its bytes.
COMMAND_OVERHEAD_BYTES = 200
# Between attempts while Redis is away (seconds).
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 0.5
# A command that Redis refuses so often will be refused for ever.
MAX_ATTEMPTS = 60
# While Redis is full only the first message is tried again; the others must not wait behind it.
MAX_ATTEMPTS_WHEN_FULL = 5


class WriteQueue:
    """A bounded queue and the one task that empties it. A command may be done twice when Redis' answer was lost."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._queue: deque[tuple[Command, int]] = deque()
        self._bytes = 0
        self._refusals = 0
        self._filled = asyncio.Event()
        self._progressed = asyncio.Event()
        self._done_count = self._put_count = 0
        self._dropping = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return len(self._queue) >= MAX_QUEUED_COMMANDS or self._bytes >= MAX_QUEUED_BYTES

    def put(self, command: Command) -> bool:
        """Have *command* done after all that were put before; False where there is no room for it."""
        if self.full:
            if not self._dropping:
                self._dropping = True
                log.error("too much waits for Redis; messages are dropped")
            return False
        self._dropping = False
        size = COMMAND_OVERHEAD_BYTES + sum(len(part) for part in command if isinstance(part, (str, bytes)))
        self._queue.append((command, size))
        self._bytes += size
        self._put_count += 1
        self._filled.set()
        return True

    async def wait_for_room(self) -> None:
        """Wait until there is room."""
        while self.full:
            self._progressed.clear()
            await self._progressed.wait()

    async def flush(self) -> None:
        """Wait until all that was put so far is done."""
        wanted = self._put_count
        while self._done_count < wanted:
            self._progressed.clear()
            await self._progressed.wait()

    async def try_flush(self, seconds: float) -> bool:
        """The same, but not for longer than that, and not at all while Redis is away; whether it is done."""
        if self._connection.unavailable:
            return self._done_count == self._put_count
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Do what is put, for ever."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            while not self._queue:
                self._filled.clear()
                await self._filled.wait()
            if await self._send_batch():
                pause = FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE_SECONDS)

    async def _send_batch(self) -> bool:
        """Whether everything that was tried is done."""
        batch = list(islice(self._queue, MAX_COMMANDS_PER_BATCH))
        try:
            answers = await self._connection.execute_all([command for command, _ in batch])
        except StateUnavailable:
            return False
        for (command, _), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                if not self._should_drop(answer):
                    return False
            # A full Redis still deletes, so that says nothing about the other messages.
            elif command[0] != "DEL":
                self._refusals = 0
            _, size = self._queue.popleft()
            self._bytes -= size
            self._done_count += 1
            self._progressed.set()
        return True

    def _should_drop(self, failure: Exception) -> bool:
        """Whether a message that Redis refused is dropped."""
        self._refusals += 1
        if is_out_of_memory(failure):
            self._connection.mark_full()
            return self._refusals >= MAX_ATTEMPTS_WHEN_FULL
        if self._refusals < MAX_ATTEMPTS:
            return False
        log.error("Redis refuses a message for good", extra={"failure": type(failure).__name__})
        self._refusals = 0
        return True
