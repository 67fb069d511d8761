"""A queue of Redis commands that run in order in the background and survive a short outage of Redis."""

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
# Memory of a command besides its bytes.
COMMAND_OVERHEAD_BYTES = 200
# Pauses between attempts while Redis is unavailable.
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 0.5
# After this many refusals a command is dropped.
MAX_ATTEMPTS = 60
# While Redis is full, a command is dropped sooner, so that the ones behind it do not wait.
MAX_ATTEMPTS_WHEN_FULL = 5


class WriteQueue:
    """A bounded queue, and the loop that empties it. A command can run twice if the reply of Redis is lost."""

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
        """Whether the queue accepts no more commands."""
        return len(self._queue) >= MAX_QUEUED_COMMANDS or self._bytes >= MAX_QUEUED_BYTES

    def put(self, command: Command) -> bool:
        """Queue *command*. Return False if the queue is full."""
        if self.full:
            if not self._dropping:
                self._dropping = True
                log.error("the write queue for Redis is full; messages are dropped")
            return False
        self._dropping = False
        size = COMMAND_OVERHEAD_BYTES + sum(len(part) for part in command if isinstance(part, (str, bytes)))
        self._queue.append((command, size))
        self._bytes += size
        self._put_count += 1
        self._filled.set()
        return True

    async def wait_for_room(self) -> None:
        """Wait until the queue has room."""
        while self.full:
            self._progressed.clear()
            await self._progressed.wait()

    async def flush(self) -> None:
        """Wait until all commands that are queued now have run."""
        target = self._put_count
        while self._done_count < target:
            self._progressed.clear()
            await self._progressed.wait()

    async def try_flush(self, seconds: float) -> bool:
        """Flush for at most *seconds*, without waiting while Redis is unavailable. Return whether it succeeded."""
        if self._connection.unavailable:
            return self._done_count == self._put_count
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Run queued commands forever."""
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
        """Run the first commands of the queue. Return whether all of them are done."""
        batch = list(islice(self._queue, MAX_COMMANDS_PER_BATCH))
        try:
            replies = await self._connection.execute_all([command for command, _ in batch])
        except StateUnavailable:
            return False
        for (command, _), reply in zip(batch, replies, strict=True):
            if isinstance(reply, Exception):
                if not self._should_drop(reply):
                    return False
            # A full Redis still deletes, so a successful DEL does not show whether it accepts other commands.
            elif command[0] != "DEL":
                self._refusals = 0
            _, size = self._queue.popleft()
            self._bytes -= size
            self._done_count += 1
            self._progressed.set()
        return True

    def _should_drop(self, failure: Exception) -> bool:
        """Return whether to drop a command that Redis refused."""
        self._refusals += 1
        if is_out_of_memory(failure):
            self._connection.mark_full()
            return self._refusals >= MAX_ATTEMPTS_WHEN_FULL
        if self._refusals < MAX_ATTEMPTS:
            return False
        log.error("a message was dropped: Redis keeps refusing it", extra={"failure": type(failure).__name__})
        self._refusals = 0
        return True
