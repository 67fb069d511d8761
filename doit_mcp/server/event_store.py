"""Keeps the events of a session's streams, so that a client that lost its connection can resume."""

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
# Memory of an event besides its bytes.
EVENT_OVERHEAD_BYTES = 256
# Memory of a log besides its events and the ids of its requests; its copy in Redis has 4.7 KB before the first event.
LOG_OVERHEAD_BYTES = 5_000


class EventLog:
    """The events of one stream of *owner*, which answers the requests *request_ids*; *done* after the last event."""

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
        """Wake the followers."""
        self._wake_event.set()

    def detach_followers(self) -> None:
        """End the followers here: the client continues at another place."""
        self._follower_count += 1
        self._wake_event.set()

    def event_id(self, number: int) -> str:
        """The id of the event with this number; number 0 is the beginning of the stream."""
        return f"{self.stream}_{number}"

    async def events_after(self, number: int) -> AsyncIterator[tuple[str, bytes]]:
        """(event id, message) of all events after *number*, past and future, until the stream is done.

        Each message goes to one stream, so earlier followers end (Multiple Connections).
        """
        self.detach_followers()
        newest = self._follower_count
        while newest == self._follower_count:
            if number - self.first_number + 1 < len(self.events):
                number = max(number + 1, self.first_number)
                yield self.event_id(number), self.events[number - self.first_number]
            elif self.done:
                return
            else:
                self._wake_event.clear()
                await self._wake_event.wait()


def parse_event_id(event_id: str) -> tuple[str, int | None]:
    """The stream and the number in an event id; the number is None in an id that this server did not make."""
    stream, separator, number = event_id.rpartition("_")
    right = separator and number.isascii() and number.isdecimal() and len(number) <= 9
    return stream, int(number) if right else None


class EventStore(Protocol):
    """Where the logs of streams are kept, by session and stream."""

    def open_log(self, session: str, stream: str, request_ids: Sequence[Id] = (), owner: str = "") -> EventLog:
        """A new log for a stream of a session of *owner* that answers these requests."""

    async def begin_log(self, session: str, log: EventLog) -> None:
        """Called before the first event of *log* is sent."""

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Keep a message, so that the client can get it again; returns its event id."""

    async def end_log(self, session: str, log: EventLog) -> None:
        """End the log without an answer: the request was canceled."""

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """All events after this one, past and future; None for an id that is not known in this session."""

    def forget_session(self, session: str) -> None:
        """The session has ended: drop its logs and end their followers."""


class MemoryEventStore:
    """The logs of one process. The oldest are dropped first: an owner's beyond *max_owner_bytes*, any beyond *max_bytes*.

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
        """Do nothing: the log is known already."""

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Keep a message; returns its event id."""
        return self.append_local(session, log, data, last=last)

    async def end_log(self, session: str, log: EventLog) -> None:
        """End the log without an answer."""
        self.end_local(log)

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """All events after this one; None for an id that is not known in this session."""
        found = self.find_event(session, event_id)
        return None if found is None else found[0].events_after(found[1])

    def open_log(self, session: str, stream: str, request_ids: Sequence[Id] = (), owner: str = "") -> EventLog:
        """A new log for a stream of a session of *owner* that answers these requests."""
        log = self._logs[session, stream] = EventLog(stream, request_ids, owner)
        self._add_bytes(log, log.size_bytes)
        self._streams.setdefault(session, set()).add(stream)
        self._make_room(owner)
        return log

    def append_local(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """As :meth:`append_event`, without waiting."""
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
            for place, log in list(self._logs.items()):
                if log.owner == owner:
                    self._drop_log(*place)
                    if self._bytes_by_owner.get(owner, 0) <= self._max_owner_bytes:
                        break
        while self.total_bytes > self._max_bytes:
            self._drop_log(*next(iter(self._logs)))

    def end_local(self, log: EventLog) -> None:
        """As :meth:`end_log`, without waiting."""
        log.done = True
        log.wake_followers()

    def _drop_first_event(self, log: EventLog) -> None:
        gone = log.events.pop(0)
        log.first_number += 1
        log.size_bytes -= len(gone) + EVENT_OVERHEAD_BYTES
        self._add_bytes(log, -len(gone) - EVENT_OVERHEAD_BYTES)

    def find_log(self, session: str, stream: str) -> EventLog | None:
        """The log of a stream; None if it was never opened, or dropped."""
        return self._logs.get((session, stream))

    def find_event(self, session: str, event_id: str) -> tuple[EventLog, int] | None:
        """The log and number of an event of this session, never of another one."""
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
