"""Open event streams: counted per principal, and the HTTP+SSE sessions that live as long as theirs."""

from __future__ import annotations

import math
import sys

from ...redis_state.quotas import Counts
from ...server.sessions import MemorySessions, Session, Sessions


class TooMany(Exception):
    """The principal has as many streams open as one may have."""


def unbounded() -> MemorySessions:
    """Sessions that live as long as their streams, which are counted."""
    return MemorySessions(idle=math.inf, per_owner=sys.maxsize, total=sys.maxsize)


class Place:
    """One stream of *owner*, counted while the block runs; entering raises :class:`TooMany`."""

    __slots__ = ("_owner", "_streams")

    def __init__(self, streams: Streams, owner: str) -> None:
        self._streams, self._owner = streams, owner

    def __enter__(self) -> None:
        self._streams.take(self._owner)

    def __exit__(self, *failure: object) -> None:
        self._streams.give_back(self._owner)


class Streams:
    """Streams of one process: places for every long-lived stream, and the HTTP+SSE *sessions* that need theirs.

    *counts*, where there are other replicas, makes the limit one for all of them.
    """

    def __init__(self, per_owner: int, sessions: Sessions | None = None) -> None:
        self._per_owner = per_owner
        self._count: dict[str, int] = {}
        self.sessions: Sessions = unbounded() if sessions is None else sessions
        self.counts: Counts | None = None
        self.open = 0

    async def room(self, owner: str) -> None:
        """Before a place is taken: see that other replicas leave one; raises :class:`TooMany`."""
        if self.counts is not None and not await self.counts.room(owner):
            raise TooMany(f"{self._per_owner} event streams are open for this user; close one first")

    def held(self, owner: str) -> int:
        """How many streams *owner* has here."""
        return self._count.get(owner, 0)

    def place(self, owner: str) -> Place:
        """A place for one stream of *owner*."""
        return Place(self, owner)

    def take(self, owner: str) -> None:
        """Count one more; raises :class:`TooMany`."""
        count = self._count.get(owner, 0)
        if count >= self._per_owner:
            raise TooMany(f"{count} event streams are open for this user; close one first")
        self._count[owner] = count + 1
        self.open += 1

    def give_back(self, owner: str) -> None:
        """Count one less."""
        self.open -= 1
        if self._count[owner] == 1:
            del self._count[owner]
        else:
            self._count[owner] -= 1
        if self.counts is not None:
            self.counts.changed(owner)

    async def find(self, id: str, owner: str) -> Session | None:
        """The open HTTP+SSE session with this id, if *owner* opened it."""
        return await self.sessions.find(id, owner)
