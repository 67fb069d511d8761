"""Stores the events of a session's streams, so that a client can resume a stream after losing its connection."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from ..process.memory import compact_copy
from ..protocol.jsonrpc import Id

MAX_EVENTS_PER_STREAM = 512
MAX_TOTAL_BYTES = 64 << 20
MAX_OWNER_BYTES = 4 << 20
# Memory of an event in addition to its bytes.
EVENT_OVERHEAD_BYTES = 256
# Memory of a log in addition to its events and request ids. In Redis, a log without events takes 4.7 KB.
LOG_OVERHEAD_BYTES = 5_000


class EventLog:
    """The events of one stream of *owner*, with the responses to *request_ids*. *done* is set after the last event."""

    __slots__ = (
        "_wake_event",
        "_follower_count",
        "size_bytes",
        "done",
        "events",
        "first_number",
        "request_ids",
        "owner",
        "stream",
    )

    def __init__(self, stream: str, request_ids: Sequence[Id] = (), owner: str = "") -> None:
        self.stream, self.request_ids, self.owner = stream, request_ids, owner
        self.first_number = 1
        self.events: list[bytes] = []
        self.size_bytes = LOG_OVERHEAD_BYTES + sum(len(id) if isinstance(id, str) else 8 for id in request_ids)
        self.done = False
        self._wake_event = asyncio.Event()
        self._follower_count = 0

    @property
    def is_resumed(self) -> bool:
        """Whether a client has resumed the stream."""
        return self._follower_count > 0

    def wake_followers(self) -> None:
        """Wake the followers, because the log has changed."""
        self._wake_event.set()

    def detach_followers(self) -> None:
        """End the current followers: the client continues on another connection."""
        self._follower_count += 1
        self._wake_event.set()

    def event_id(self, number: int) -> str:
        """Return the id of the event with this number. Number 0 is the beginning of the stream."""
        return f"{self.stream}_{number}"

    async def events_after(self, number: int) -> AsyncIterator[tuple[str, bytes]]:
        """Yield (event id, message) for all events after *number*, past and future, until the stream is done.

        Each message goes to one stream, so earlier followers end (Streamable HTTP, Multiple Connections).
        """
        self.detach_followers()
        follower = self._follower_count
        while follower == self._follower_count:
            if number - self.first_number + 1 < len(self.events):
                number = max(number + 1, self.first_number)
                yield self.event_id(number), self.events[number - self.first_number]
            elif self.done:
                return
            else:
                self._wake_event.clear()
                await self._wake_event.wait()


def parse_event_id(event_id: str) -> tuple[str, int | None]:
    """Return the stream and number of an event id. The number is None in an id that this server did not create."""
    stream, separator, number = event_id.rpartition("_")
    is_valid = separator and number.isascii() and number.isdecimal() and len(number) <= 9
    return stream, int(number) if is_valid else None


class EventStore(Protocol):
    """Stores the logs of streams, by session and stream."""

    def open_log(self, session: str, stream: str, request_ids: Sequence[Id] = (), owner: str = "") -> EventLog:
        """Open a log for a stream that carries the responses to *request_ids*, in a session of *owner*."""

    async def begin_log(self, session: str, log: EventLog) -> None:
        """Prepare *log*. Called before its first event is sent."""

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Store a message, so that the client can fetch it again. Return its event id."""

    async def end_log(self, session: str, log: EventLog) -> None:
        """End the log without a response, because the request was canceled."""

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """Return all events after this one, past and future, or None if the session has no such id."""

    def forget_session(self, session: str) -> None:
        """Drop the logs of a session that has ended, and end their followers."""


class MemoryEventStore:
    """The logs of one process. Beyond *max_owner_bytes* or *max_bytes*, the oldest of the owner or of all are dropped.

    *on_drop* is called with the session and stream of each dropped log.
    """

    def __init__(
        self,
        max_bytes: int = MAX_TOTAL_BYTES,
        max_owner_bytes: int = MAX_OWNER_BYTES,
        *,
        on_drop: Callable[[str, str], None] = lambda session, stream: None,
    ) -> None:
        self._max_bytes, self._max_owner_bytes, self._on_drop = max_bytes, max_owner_bytes, on_drop
        self._bytes_by_owner: dict[str, int] = {}
        self._logs: OrderedDict[tuple[str, str], EventLog] = OrderedDict()
        self._streams: dict[str, set[str]] = {}
        self.total_bytes = 0

    async def begin_log(self, session: str, log: EventLog) -> None:
        """Do nothing, because the log is ready once it is open."""

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Store a message. Return its event id."""
        return self.append_local(session, log, data, last=last)

    async def end_log(self, session: str, log: EventLog) -> None:
        """End the log without a response."""
        self.end_local(log)

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """Return all events after this one, or None if the session has no such id."""
        position = self.find_event(session, event_id)
        return None if position is None else position[0].events_after(position[1])

    def open_log(self, session: str, stream: str, request_ids: Sequence[Id] = (), owner: str = "") -> EventLog:
        """Open a log for a stream that carries the responses to *request_ids*, in a session of *owner*."""
        log = self._logs[session, stream] = EventLog(stream, request_ids, owner)
        self._add_bytes(log, log.size_bytes)
        self._streams.setdefault(session, set()).add(stream)
        self._make_room(owner)
        return log

    def append_local(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Do the same as :meth:`append_event`, without waiting."""
        log.events.append(compact_copy(data))
        log.size_bytes += len(data) + EVENT_OVERHEAD_BYTES
        log.done = last
        if (session, log.stream) in self._logs:
            self._add_bytes(log, len(data) + EVENT_OVERHEAD_BYTES)
            if len(log.events) > MAX_EVENTS_PER_STREAM:
                self._drop_first_event(log)
            self._make_room(log.owner)
        log.wake_followers()
        return log.event_id(log.first_number + len(log.events) - 1)

    def _add_bytes(self, log: EventLog, size: int) -> None:
        self.total_bytes += size
        held = self._bytes_by_owner.get(log.owner, 0) + size
        if held:
            self._bytes_by_owner[log.owner] = held
        else:
            self._bytes_by_owner.pop(log.owner, None)

    def _make_room(self, owner: str) -> None:
        """Drop the oldest logs of *owner* beyond its limit, and the oldest of all beyond the total limit."""
        if self._bytes_by_owner[owner] > self._max_owner_bytes:
            for key, log in list(self._logs.items()):
                if log.owner == owner:
                    self._drop_log(*key)
                    if self._bytes_by_owner.get(owner, 0) <= self._max_owner_bytes:
                        break
        while self.total_bytes > self._max_bytes:
            self._drop_log(*next(iter(self._logs)))

    def end_local(self, log: EventLog) -> None:
        """Do the same as :meth:`end_log`, without waiting."""
        log.done = True
        log.wake_followers()

    def _drop_first_event(self, log: EventLog) -> None:
        event = log.events.pop(0)
        log.first_number += 1
        log.size_bytes -= len(event) + EVENT_OVERHEAD_BYTES
        self._add_bytes(log, -len(event) - EVENT_OVERHEAD_BYTES)

    def find_log(self, session: str, stream: str) -> EventLog | None:
        """Return the log of a stream, or None if it was never opened or has been dropped."""
        return self._logs.get((session, stream))

    def find_event(self, session: str, event_id: str) -> tuple[EventLog, int] | None:
        """Return the log and number of an event of this session, or None if resuming after it is not possible."""
        stream, number = parse_event_id(event_id)
        log = self._logs.get((session, stream))
        if log is None or number is None:
            return None
        # If the next events were dropped, resuming would leave a gap.
        return (log, number) if log.first_number - 1 <= number < log.first_number + len(log.events) else None

    def forget_session(self, session: str) -> None:
        """Drop the logs of the session and end their followers."""
        for stream in list(self._streams.get(session, ())):
            self.end_local(self._drop_log(session, stream))

    def _drop_log(self, session: str, stream: str) -> EventLog:
        log = self._logs.pop((session, stream))
        self._add_bytes(log, -log.size_bytes)
        streams = self._streams[session]
        streams.remove(stream)
        if not streams:
            del self._streams[session]
        self._on_drop(session, stream)
        return log
