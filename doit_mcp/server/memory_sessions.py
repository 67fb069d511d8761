"""The sessions of one process: limited, closed when idle, and revived from their ids."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from ..protocol.request_metadata import Caller
from .message_queue import MessageQueue
from .session_ids import LIFETIME_SECONDS, SessionIds, hash_session_id
from .sessions import OnSessionEnd, Session, new_session_id, report_end
from .used_ids import UsedIds

MAX_ENDED_PER_OWNER, MAX_ENDED = 100, 20_000
QUESTION_BITS = 48


class MemorySessions:
    """The sessions of one process. At a limit, the least recently used session is closed first.

    With *ids*, a session that this process does not hold, because it was idle, closed at a limit, or opened by another
    process, is revived from its id. A session that its client ended is not: at most MAX_ENDED ids are remembered, and
    sessions that started earlier than a forgotten one are not revived either.
    """

    def __init__(
        self,
        *,
        idle_seconds: float,
        max_per_owner: int,
        max_total: int,
        ids: SessionIds | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_end: Callable[[Session], None] = lambda _: None,
        on_session_end: OnSessionEnd = lambda revision, seconds: None,
    ) -> None:
        self._idle_seconds, self._max_per_owner, self._max_total, self._clock = (
            idle_seconds,
            max_per_owner,
            max_total,
            clock,
        )
        self._ids, self._on_end, self._on_session_end = ids, on_end, on_session_end
        self._ended = UsedIds(clock, lifetime_seconds=LIFETIME_SECONDS, per_owner=MAX_ENDED_PER_OWNER, total=MAX_ENDED)
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._ids_by_owner: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(self, owner: str, caller: Caller, queue: MessageQueue | None = None) -> Session:
        """Open a session for *owner*."""
        id = new_session_id() if self._ids is None else self._ids.issue(owner, caller)
        session = Session(id, owner, caller, self._clock(), message_queue=queue, started_at=time.time())
        self._add(session)
        return session

    def _add(self, session: Session) -> None:
        self.close_idle()
        owned = self._ids_by_owner.get(session.owner)
        if owned is not None and len(owned) >= self._max_per_owner:
            self._close(self._sessions[next(iter(owned))])
        elif len(self._sessions) >= self._max_total:
            self._close(next(iter(self._sessions.values())))
        self._sessions[session.id] = session
        self._ids_by_owner.setdefault(session.owner, OrderedDict())[session.id] = None

    async def find(self, id: str, owner: str) -> Session | None:
        """Return the live session with this id if *owner* opened it."""
        session = self._sessions.get(id)
        if session is None:
            return self._revive(id, owner)
        if session.owner != owner:
            return None
        now = self._clock()
        if now - session.last_used >= self._idle_seconds and not session.is_busy:
            self._close(session)
            return self._revive(id, owner)
        session.last_used = now
        self._sessions.move_to_end(id)
        self._ids_by_owner[owner].move_to_end(id)
        return session

    def _revive(self, id: str, owner: str) -> Session | None:
        described = None if self._ids is None else self._ids.read(id, owner)
        if described is None or self._ended.contains(owner, described.started_at, hash_session_id(id)):
            return None
        session = Session(
            id,
            owner,
            described.caller,
            self._clock(),
            # Starts at random, so that no question has the id of one that an earlier process asked in this session.
            question_count=secrets.randbits(QUESTION_BITS),
            is_revived=True,
            announces_revival=True,
            started_at=described.started_at / 1000,
        )
        self._add(session)
        return session

    async def close(self, session: Session) -> None:
        """End the session."""
        described = None if self._ids is None else self._ids.read(session.id, session.owner)
        if described is not None:
            self._ended.add(session.owner, described.started_at, hash_session_id(session.id))
        self._close(session)

    def _close(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is None:
            return
        owned = self._ids_by_owner[session.owner]
        del owned[session.id]
        if not owned:
            del self._ids_by_owner[session.owner]
        # A session that a stream keeps open has no requests that would show its use.
        report_end(session, self._on_session_end, 0.0 if session.is_busy else self._clock() - session.last_used)
        session.end()
        self._on_end(session)

    def close_idle(self) -> None:
        """Close sessions that have been idle for too long.

        Sessions are ordered by last use, so this costs nothing when none is due.
        """
        now = self._clock()
        while self._sessions:
            session = next(iter(self._sessions.values()))
            if now - session.last_used < self._idle_seconds:
                return
            if session.is_busy:
                # It is in use although no request arrived, so treat it as just used.
                session.last_used = now
                self._sessions.move_to_end(session.id)
            else:
                self._close(session)

    def end_all(self) -> None:
        """Close every session (shutdown)."""
        for session in list(self._sessions.values()):
            self._close(session)
