"""Recording: what is sent on one stream of a session, kept for a client that loses the connection."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ...protocol.jsonrpc import Id
from ...server.event_store import Log, Replays
from ...server.sessions import Session


class Recording:
    """Opens its log with the first message; a request that is answered with one JSON body leaves nothing behind.

    *ids* are those of the requests that are answered on the stream.
    """

    __slots__ = ("_ids", "_log", "_replays", "_session", "polls")

    def __init__(self, replays: Replays, session: Session, ids: Sequence[Id]) -> None:
        self._replays, self._session, self._ids = replays, session, ids
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

    async def start(self) -> str:
        """The event id of the stream's beginning."""
        return (await self._opened()).id_of(0)

    async def add(self, data: bytes, *, last: bool = False) -> str:
        """Keep a message; its event id."""
        return await self._replays.keep(self._session.id, await self._opened(), data, last=last)

    async def end(self) -> None:
        """There is no answer: who comes back for it waits for nothing."""
        if self._log is not None:
            await self._replays.end(self._session.id, self._log)

    async def _opened(self) -> Log:
        if self._log is None:
            # Not a number: streams of several replicas must not meet.
            self._log = self._replays.open(self._session.id, secrets.token_hex(6), self._ids, self._session.owner)
            await self._replays.begin(self._session.id, self._log)
        return self._log
