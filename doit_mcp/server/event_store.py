"""Replay: what was sent on a session's streams, kept for a client that lost the connection and comes back."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from ..process.memory import compact_copy
from ..protocol.jsonrpc import Id

MAX_EVENTS_PER_STREAM = 512
MAX_TOTAL_BYTES = 64 << 20
MAX_OWNER_BYTES = 4 << 20
# What a message takes besides its bytes.
EVENT_OVERHEAD_BYTES = 256
# What a log takes besides its messages and the ids of its requests: its copy in Redis has 4.7 KB before the first one.
LOG_OVERHEAD_BYTES = 5_000


class EventLog:
    """The events of one stream of *owner*, which answers the requests *request_ids*; *done* once its last message is in."""

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
        """Whether somebody came for what is kept here."""
        return self._follower_count > 0

    def wake_followers(self) -> None:
        """Wake whoever follows."""
        self._wake_event.set()

    def detach_followers(self) -> None:
        """Who follows goes on elsewhere: whoever did so here ends."""
        self._follower_count += 1
        self._wake_event.set()

    def event_id(self, number: int) -> str:
        """The event id of the message with this number; number 0 is the stream's beginning."""
        return f"{self.stream}_{number}"

    async def events_after(self, number: int) -> AsyncIterator[tuple[str, bytes]]:
        """(event id, message) of everything after *number*, past and to come, until the stream is done.

        Each message goes to one stream alone: who came before ends here (Multiple Connections).
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
    """The stream and the number in an event id; no number in an id that is not ours."""
    stream, separator, number = event_id.rpartition("_")
    right = separator and number.isascii() and number.isdecimal() and len(number) <= 9
    return stream, int(number) if right else None


class EventStore:
    """Logs of all sessions of a process; the oldest are forgotten first when an owner's, or all, take too much room."""

    def __init__(self, max_bytes: int = MAX_TOTAL_BYTES, max_owner_bytes: int = MAX_OWNER_BYTES) -> None:
        self._max_bytes, self._max_owner_bytes = max_bytes, max_owner_bytes
        self._bytes_by_owner: dict[str, int] = {}
        self._logs: OrderedDict[tuple[str, str], EventLog] = OrderedDict()
        self._streams: dict[str, set[str]] = {}
        self.total_bytes = 0

    async def begin_log(self, session: str, log: EventLog) -> None:
        """The first event of *log* is about to be sent."""

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Keep a message, so that the client can have it again; its event id."""
        return self.append_local(session, log, data, last=last)

    async def end_log(self, session: str, log: EventLog) -> None:
        """Nothing comes any more: the request was cancelled, and is not answered."""
        self.end_local(log)

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """What came, and is still to come, after this event of this session; None for one that is not known."""
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
        """Keep a message; its event id."""
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
        """Forget the oldest logs of *owner* where these take too much, and the oldest of all where all do."""
        if self._bytes_by_owner[owner] > self._max_owner_bytes:
            for place, log in list(self._logs.items()):
                if log.owner == owner:
                    self._drop_log(*place)
                    if self._bytes_by_owner.get(owner, 0) <= self._max_owner_bytes:
                        break
        while self.total_bytes > self._max_bytes:
            self._drop_log(*next(iter(self._logs)))

    def end_local(self, log: EventLog) -> None:
        """Whoever follows comes to the end."""
        log.done = True
        log.wake_followers()

    def _drop_first_event(self, log: EventLog) -> None:
        gone = log.events.pop(0)
        log.first_number += 1
        log.size_bytes -= len(gone) + EVENT_OVERHEAD_BYTES
        self._add_bytes(log, -len(gone) - EVENT_OVERHEAD_BYTES)

    def find_event(self, session: str, event_id: str) -> tuple[EventLog, int] | None:
        """The log and number that an event id of this session stands for; never another session's."""
        stream, number = parse_event_id(event_id)
        log = self._logs.get((session, stream))
        if log is None or number is None:
            return None
        # A number whose successors are forgotten cannot be continued without a gap.
        return (log, number) if log.first_number - 1 <= number < log.first_number + len(log.events) else None

    def forget_session(self, session: str) -> None:
        """The session ended; so do the logs, and whoever follows them."""
        for stream in list(self._streams.get(session, ())):
            self.end_local(self._drop_log(session, stream))

    def _drop_log(self, session: str, stream: str) -> EventLog:
        log = self._logs.pop((session, stream))
        self._add_bytes(log, -log.size_bytes)
        streams = self._streams[session]
        streams.remove(stream)
        if not streams:
            del self._streams[session]
        return log
