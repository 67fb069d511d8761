"""Open event streams: counted per principal, and the HTTP+SSE sessions that live as long as theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..protocol.inbound import Caller
from ..protocol.revisions import UNSAID
from ..server.outbox import Outbox
from ..server.sessions import Session, new_id


class TooMany(Exception):
    """The principal has as many streams open as one may have."""


class Streams:
    """Streams of one process: places for every long-lived stream, and the HTTP+SSE sessions by id."""

    def __init__(self, per_owner: int) -> None:
        self._per_owner = per_owner
        self._count: dict[str, int] = {}
        self._by_id: dict[str, Session] = {}
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

    @contextmanager
    def session(self, owner: str, outbox: Outbox) -> Iterator[Session]:
        """An HTTP+SSE session; when its stream ends, what runs in it is stopped (security L1)."""
        with self.place(owner):
            session = Session(new_id(), owner, Caller(UNSAID), 0.0)
            session.listen(outbox)
            self._by_id[session.id] = session
            try:
                yield session
            finally:
                del self._by_id[session.id]
                session.end()

    def find(self, id: str, owner: str) -> Session | None:
        """The open HTTP+SSE session with this id, if *owner* opened it."""
        session = self._by_id.get(id)
        return session if session is not None and session.owner == owner else None

    def close_all(self) -> None:
        """Ask every HTTP+SSE stream to end (shutdown)."""
        for session in list(self._by_id.values()):
            if session.outbox is not None:
                session.outbox.close()
