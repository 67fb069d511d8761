"""Open event streams: counted per principal, and the HTTP+SSE sessions that live as long as theirs."""

from __future__ import annotations

import math
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ..protocol.inbound import Caller
from ..protocol.revisions import UNSAID
from ..server.outbox import Outbox
from ..server.sessions import MemorySessions, Session, Sessions


class TooMany(Exception):
    """The principal has as many streams open as one may have."""


def unbounded() -> MemorySessions:
    """Sessions that live as long as their streams, which are counted."""
    return MemorySessions(idle=math.inf, per_owner=sys.maxsize, total=sys.maxsize)


class Streams:
    """Streams of one process: places for every long-lived stream, and the HTTP+SSE *sessions* that need theirs."""

    def __init__(self, per_owner: int, sessions: Sessions | None = None) -> None:
        self._per_owner = per_owner
        self._count: dict[str, int] = {}
        self._sessions: Sessions = unbounded() if sessions is None else sessions
        self.open = 0

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Hold a place for one stream of *owner*; raises :class:`TooMany`."""
        count = self._count.get(owner, 0)
        if count >= self._per_owner:
            raise TooMany(f"{count} event streams are open for this user; close one first")
        self._count[owner] = count + 1
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            if self._count[owner] == 1:
                del self._count[owner]
            else:
                self._count[owner] -= 1

    @asynccontextmanager
    async def session(self, owner: str, outbox: Outbox) -> AsyncIterator[Session]:
        """An HTTP+SSE session; when its stream ends, what runs in it is stopped (security L1)."""
        with self.place(owner):
            session = await self._sessions.open(owner, Caller(UNSAID), outbox)
            try:
                yield session
            finally:
                await self._sessions.close(session)

    async def find(self, id: str, owner: str) -> Session | None:
        """The open HTTP+SSE session with this id, if *owner* opened it."""
        return await self._sessions.find(id, owner)
