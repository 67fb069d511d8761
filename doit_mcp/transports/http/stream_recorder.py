"""Recording: what is sent on one stream of a session, kept for a client that loses the connection."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ...protocol.jsonrpc import Id
from ...server.event_store import EventLog, EventStore
from ...server.sessions import Session


class StreamRecorder:
    """Opens its log with the first message; a request that is answered with one JSON body leaves nothing behind.

    *ids* are those of the requests that are answered on the stream.
    """

    __slots__ = ("_request_ids", "_log", "_event_store", "_session", "supports_polling")

    def __init__(self, event_store: EventStore, session: Session, request_ids: Sequence[Id]) -> None:
        self._event_store, self._session, self._request_ids = event_store, session, request_ids
        self._log: EventLog | None = None
        # Whether clients of this revision understand an event without a message (2025-11-25, priming).
        self.supports_polling = session.caller.revision.supports("stream.polling")

    @property
    def is_started(self) -> bool:
        """Whether something was kept."""
        return self._log is not None

    @property
    def is_resumed(self) -> bool:
        """Whether the client came back for the stream: then it is told everything there, and here no more."""
        return self._log is not None and self._log.is_resumed

    async def start(self) -> str:
        """The event id of the stream's beginning."""
        return (await self._open_log()).event_id(0)

    async def record(self, data: bytes, *, last: bool = False) -> str:
        """Keep a message; its event id."""
        return await self._event_store.append_event(self._session.id, await self._open_log(), data, last=last)

    async def end(self) -> None:
        """There is no answer: who comes back for it waits for nothing."""
        if self._log is not None:
            await self._event_store.end_log(self._session.id, self._log)

    async def _open_log(self) -> EventLog:
        if self._log is None:
            # Not a number: streams of several replicas must not meet.
            self._log = self._event_store.open_log(
                self._session.id, secrets.token_hex(6), self._request_ids, self._session.owner
            )
            await self._event_store.begin_log(self._session.id, self._log)
        return self._log
