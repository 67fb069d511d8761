"""Replay: what was sent on a session's streams, kept for a client that lost the connection and comes back."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from ..process.memory import exact
from ..protocol.jsonrpc import Id

MOST_EVENTS = 512
MOST_BYTES = 64 << 20
MAX_OWNER_BYTES = 4 << 20
# What a message takes besides its bytes.
EVENT_BYTES = 256
# What a log takes besides its messages and the ids of its requests: its copy in Redis has 4.7 KB before the first one.
LOG_BYTES = 5_000


class Log:
    """The events of one stream of *owner*, which answers the requests *ids*; *done* once its last message is in."""

    __slots__ = ("_changed", "_followers", "bytes", "done", "events", "first", "ids", "owner", "stream")

    def __init__(self, stream: str, ids: Sequence[Id] = (), owner: str = "") -> None:
        self.stream, self.ids, self.owner = stream, ids, owner
        self.first = 1
        self.events: list[bytes] = []
        self.bytes = LOG_BYTES + sum(len(id) if isinstance(id, str) else 8 for id in ids)
        self.done = False
        self._changed = asyncio.Event()
        self._followers = 0

    @property
    def followed(self) -> bool:
        """Whether somebody came for what is kept here."""
        return self._followers > 0

    def changed(self) -> None:
        """Wake whoever follows."""
        self._changed.set()

    def leave(self) -> None:
        """Who follows goes on elsewhere: whoever did so here ends."""
        self._followers += 1
        self._changed.set()

    def id_of(self, number: int) -> str:
        """The event id of the message with this number; number 0 is the stream's beginning."""
        return f"{self.stream}_{number}"

    async def after(self, number: int) -> AsyncIterator[tuple[str, bytes]]:
        """(event id, message) of everything after *number*, past and to come, until the stream is done.

        Each message goes to one stream alone: who came before ends here (Multiple Connections).
        """
        self.leave()
        newest = self._followers
        while newest == self._followers:
            if number - self.first + 1 < len(self.events):
                number = max(number + 1, self.first)
                yield self.id_of(number), self.events[number - self.first]
            elif self.done:
                return
            else:
                self._changed.clear()
                await self._changed.wait()


def place(event_id: str) -> tuple[str, int | None]:
    """The stream and the number in an event id; no number in an id that is not ours."""
    stream, separator, number = event_id.rpartition("_")
    right = separator and number.isascii() and number.isdecimal() and len(number) <= 9
    return stream, int(number) if right else None


class Replays:
    """Logs of all sessions of a process; the oldest are forgotten first when an owner's, or all, take too much room."""

    def __init__(self, most_bytes: int = MOST_BYTES, owner_bytes: int = MAX_OWNER_BYTES) -> None:
        self._most_bytes, self._owner_bytes = most_bytes, owner_bytes
        self._owned: dict[str, int] = {}
        self._logs: OrderedDict[tuple[str, str], Log] = OrderedDict()
        self._streams: dict[str, set[str]] = {}
        self.bytes = 0

    async def begin(self, session: str, log: Log) -> None:
        """The first event of *log* is about to be sent."""

    async def keep(self, session: str, log: Log, data: bytes, *, last: bool = False) -> str:
        """Keep a message, so that the client can have it again; its event id."""
        return self.add(session, log, data, last=last)

    async def end(self, session: str, log: Log) -> None:
        """Nothing comes any more: the request was cancelled, and is not answered."""
        self.finish(log)

    async def after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """What came, and is still to come, after this event of this session; None for one that is not known."""
        found = self.find(session, event_id)
        return None if found is None else found[0].after(found[1])

    def open(self, session: str, stream: str, ids: Sequence[Id] = (), owner: str = "") -> Log:
        """A new log for a stream of a session of *owner* that answers these requests."""
        log = self._logs[session, stream] = Log(stream, ids, owner)
        self._count(log, log.bytes)
        self._streams.setdefault(session, set()).add(stream)
        self._make_room(owner)
        return log

    def add(self, session: str, log: Log, data: bytes, *, last: bool = False) -> str:
        """Keep a message; its event id."""
        log.events.append(exact(data))
        log.bytes += len(data) + EVENT_BYTES
        log.done = last
        if (session, log.stream) in self._logs:
            self._count(log, len(data) + EVENT_BYTES)
            if len(log.events) > MOST_EVENTS:
                self._forget_first(log)
            self._make_room(log.owner)
        log.changed()
        return log.id_of(log.first + len(log.events) - 1)

    def _count(self, log: Log, size: int) -> None:
        self.bytes += size
        held = self._owned.get(log.owner, 0) + size
        if held:
            self._owned[log.owner] = held
        else:
            self._owned.pop(log.owner, None)

    def _make_room(self, owner: str) -> None:
        """Forget the oldest logs of *owner* where these take too much, and the oldest of all where all do."""
        if self._owned[owner] > self._owner_bytes:
            for place, log in list(self._logs.items()):
                if log.owner == owner:
                    self._drop(*place)
                    if self._owned.get(owner, 0) <= self._owner_bytes:
                        break
        while self.bytes > self._most_bytes:
            self._drop(*next(iter(self._logs)))

    def finish(self, log: Log) -> None:
        """Whoever follows comes to the end."""
        log.done = True
        log.changed()

    def _forget_first(self, log: Log) -> None:
        gone = log.events.pop(0)
        log.first += 1
        log.bytes -= len(gone) + EVENT_BYTES
        self._count(log, -len(gone) - EVENT_BYTES)

    def find(self, session: str, event_id: str) -> tuple[Log, int] | None:
        """The log and number that an event id of this session stands for; never another session's (security S7)."""
        stream, number = place(event_id)
        log = self._logs.get((session, stream))
        if log is None or number is None:
            return None
        # A number whose successors are forgotten cannot be continued without a gap.
        return (log, number) if log.first - 1 <= number < log.first + len(log.events) else None

    def forget(self, session: str) -> None:
        """The session ended; so do the logs, and whoever follows them."""
        for stream in list(self._streams.get(session, ())):
            self.finish(self._drop(session, stream))

    def _drop(self, session: str, stream: str) -> Log:
        log = self._logs.pop((session, stream))
        self._count(log, -log.bytes)
        streams = self._streams[session]
        streams.remove(stream)
        if not streams:
            del self._streams[session]
        return log
