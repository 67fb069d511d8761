"""Recording: what is sent on one stream of a session, kept for a client that loses the connection."""

from __future__ import annotations

from ..server.replay import Log, Replays
from ..server.sessions import Session


class Recording:
    """Opens its log with the first message; a request that is answered with one JSON body leaves nothing behind."""

    __slots__ = ("_log", "_replays", "_session", "polls")

    def __init__(self, replays: Replays, session: Session) -> None:
        self._replays, self._session = replays, session
        self._log: Log | None = None
        # Whether clients of this revision understand an event without a message (2025-11-25, priming).
        self.polls = session.caller.revision.has("stream.polling")

    @property
    def started(self) -> bool:
        """Whether something was kept."""
        return self._log is not None

    @property
    def followed(self) -> bool:
        """Whether the client came back for the stream: then it is told everything there, and here no more."""
        return self._log is not None and self._log.followed

    def start(self) -> str:
        """The event id of the stream's beginning."""
        return self._opened().id_of(0)

    def add(self, data: bytes, *, last: bool = False) -> str:
        """Keep a message; its event id."""
        return self._replays.add(self._session.id, self._opened(), data, last=last)

    def _opened(self) -> Log:
        if self._log is None:
            self._session.streams += 1
            self._log = self._replays.open(self._session.id, str(self._session.streams))
        return self._log
