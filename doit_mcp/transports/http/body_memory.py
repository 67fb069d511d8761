"""A bound on the bytes of the request bodies that are received and handled at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType

# Multiples of the largest body.
BODIES_PER_OWNER, BODIES_TOTAL = 4, 16


class TooManyBytes(Exception):
    """The bodies of the requests in progress hold too many bytes; *status* is that of the refusal."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class BodyMemory:
    """Counts bytes that were received, until their request is done: parsed, a body takes many times its size. What was
    declared costs nothing, so nobody can reserve it all."""

    def __init__(self, max_body: int) -> None:
        self._per_owner, self._total = BODIES_PER_OWNER * max_body, BODIES_TOTAL * max_body
        self._owners: Counter[str] = Counter()
        self.total_bytes = 0

    def share(self, owner: str) -> BodyShare:
        """The share of one request of *owner*, for as long as its context lasts."""
        return BodyShare(self, owner)

    def add(self, owner: str, size: int) -> None:
        """Count *size* bytes; raises TooManyBytes, and counts none, where there is no room for them."""
        if self._owners[owner] + size > self._per_owner:
            text = f"Your requests in progress may have {self._per_owner:,} bytes in all; wait for one to finish"
            raise TooManyBytes(429, text)
        if self.total_bytes + size > self._total:
            raise TooManyBytes(503, "The server is handling too many large requests; try again")
        self.total_bytes += size
        self._owners[owner] += size

    def release(self, owner: str, size: int) -> None:
        """They are no longer held."""
        self.total_bytes -= size
        self._owners[owner] -= size
        if not self._owners[owner]:
            del self._owners[owner]


class BodyShare:
    """What one request holds."""

    __slots__ = ("_memory", "_bytes", "_owner", "_task")

    def __init__(self, memory: BodyMemory, owner: str) -> None:
        self._memory, self._owner, self._bytes = memory, owner, 0
        self._task: asyncio.Task[None] | None = None

    def add(self, size: int) -> None:
        """Count what was received; raises TooManyBytes where no more may be."""
        self._memory.add(self._owner, size)
        self._bytes += size

    def keep_until_done(self, task: asyncio.Task[None]) -> None:
        """The request goes on in *task*, which may outlive its connection."""
        self._task = task

    def __enter__(self) -> BodyShare:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._bytes:
            return
        if self._task is None or self._task.done():
            self._release()
        else:
            self._task.add_done_callback(self._release)

    def _release(self, task: asyncio.Task[None] | None = None) -> None:
        self._memory.release(self._owner, self._bytes)
