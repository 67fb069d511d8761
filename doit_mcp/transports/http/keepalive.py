"""Ticker: one timer for all event streams of the process, which makes them say now and then that they are alive."""

from __future__ import annotations

import asyncio
from typing import Protocol

# In so many groups the streams take their turns: none is late by what thousands of others cost.
GROUPS = 16


class KeepaliveStream(Protocol):
    """A stream."""

    def send_keepalive(self) -> None:
        """Say that it is alive, without waiting for anything and whatever became of the reader."""


class Keepalive:
    """Has each stream beat once in so many seconds. A task and a timer would cost more than 1 KB for each of them."""

    __slots__ = ("_groups", "_next", "_interval", "_timer")

    def __init__(self, seconds: float) -> None:
        self._interval = seconds / GROUPS
        self._groups: tuple[set[KeepaliveStream], ...] = tuple(set() for _ in range(GROUPS))
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    @property
    def is_running(self) -> bool:
        """Whether the timer is set; it is not where there are no streams."""
        return self._timer is not None

    def add(self, stream: KeepaliveStream) -> None:
        """From now on *stream* beats; the first time within the seconds."""
        min(self._groups, key=len).add(stream)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def remove(self, stream: KeepaliveStream) -> None:
        """No more."""
        for group in self._groups:
            group.discard(stream)

    def _tick(self) -> None:
        # Set first: should a stream fail after all, the others of its group wait for a round, and none for ever.
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick) if len(self) else None
        self.send_to_next_group()

    def send_to_next_group(self) -> None:
        """Have the next group beat."""
        group = self._groups[self._next]
        self._next = (self._next + 1) % GROUPS
        for stream in list(group):
            stream.send_keepalive()
