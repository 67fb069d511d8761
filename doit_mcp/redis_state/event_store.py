"""Events of streams, with a copy in Redis, so that a client that lost its connection can resume at any replica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson

from ..protocol.jsonrpc import INTERNAL_ERROR, Id, RpcError, error_bytes
from ..resilience.unavailable import StateUnavailable
from ..server.event_store import MAX_TOTAL_BYTES, EventLog, MemoryEventStore, parse_event_id
from .event_logs import EventLogs, LogPage
from .message_bus import MessageBus, Payload

# Followers are woken by a message. They also poll, in case it was lost or the holder died.
POLL_SECONDS = 1.0
REPLICA_LOST = "The server that handled the request was restarted; call again"


class Follower:
    """A client here that follows a log of another replica."""

    __slots__ = ("ended", "wake_event")

    def __init__(self) -> None:
        self.wake_event = asyncio.Event()
        self.ended = False

    def end(self) -> None:
        """End this follower, because the client follows elsewhere or its session ended."""
        self.ended = True
        self.wake_event.set()


class RedisEventStore:
    """Implements :class:`doit_mcp.server.event_store.EventStore` with logs in this process, each with a copy in Redis.

    Clients can also resume streams of other replicas. Each message goes to one stream, so a log has one follower, and
    its holder knows at which replica.
    """

    def __init__(self, logs: EventLogs, bus: MessageBus, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self.local = MemoryEventStore(max_bytes, on_drop=self._on_drop)
        self._copies, self._bus = logs, bus
        # Replicas that follow logs of this one, and followers here of logs of others; by session and stream.
        self._remote_followers: dict[tuple[str, str], str] = {}
        self._local_followers: dict[tuple[str, str], Follower] = {}
        bus.on_message("log follow", self._on_follow)
        bus.on_message("log more", self._on_more)
        bus.on_message("log left", self._on_left)

    def open_log(self, session: str, stream: str, request_ids: Sequence[Id] = (), owner: str = "") -> EventLog:
        """Open a log in this process."""
        return self.local.open_log(session, stream, request_ids, owner)

    async def begin_log(self, session: str, log: EventLog) -> None:
        """Create the copy, so that other replicas know the log before its first event is sent."""
        if self.local.find_log(session, log.stream) is not None:
            await self._copies.create(session, log.stream, list(log.request_ids))

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Store a message in the log and in its copy. Return its event id."""
        id = self.local.append_local(session, log, data, last=last)
        await self._copy_event(session, log, data, last)
        return id

    async def end_log(self, session: str, log: EventLog) -> None:
        """End the log and its copy without a response."""
        self.local.end_local(log)
        await self._copy_event(session, log, b"", True)

    async def _copy_event(self, session: str, log: EventLog, data: bytes, last: bool) -> None:
        if self.local.find_log(session, log.stream) is not None:
            key = session, log.stream
            number = log.first_number + len(log.events) - 1
            await self._copies.add(session, log.stream, number, data, last=last)
            if key in self._remote_followers:
                self._send_to_replica(self._remote_followers[key], "more", key)

    def _on_drop(self, session: str, stream: str) -> None:
        self._copies.delete(session, stream)
        self._remote_followers.pop((session, stream), None)

    def forget_session(self, session: str) -> None:
        """Drop the logs of the session here, and end its followers here."""
        self.local.forget_session(session)
        for key, follower in list(self._local_followers.items()):
            if key[0] == session:
                follower.end()

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """Return all events after this one, from the replica that holds the log, or None if they are not available."""
        stream, number = parse_event_id(event_id)
        key = session, stream
        if self.local.find_log(session, stream) is not None:
            if (replica := self._remote_followers.pop(key, None)) is not None:
                self._send_to_replica(replica, "left", key)
            return await self.local.events_after(session, event_id)
        if number is None:
            return None
        page = await self._copies.read(session, stream, number)
        # A message may reach the client just before it reaches Redis.
        if page is not None and number > page.last and page.holder_alive and not page.complete:
            await asyncio.sleep(POLL_SECONDS)
            page = await self._copies.read(session, stream, number)
        if page is None or number > page.last or page.first > number + 1:
            return None
        return self._follow(key, number, page.holder)

    async def _follow(self, key: tuple[str, str], number: int, holder: str) -> AsyncIterator[tuple[str, bytes]]:
        if (previous := self._local_followers.get(key)) is not None:
            previous.end()
        follower = self._local_followers[key] = Follower()
        self._send_to_replica(holder, "follow", key)
        try:
            while not follower.ended:
                follower.wake_event.clear()
                page = await self._read(key, number)
                if page is None or (page.complete and number >= page.last):
                    return
                for number, data in page.messages:
                    yield f"{key[1]}_{number}", data
                if not page.messages:
                    if not page.holder_alive:
                        if not page.metadata:
                            # The ids of the pending requests are lost.
                            return
                        yield f"{key[1]}_{number + 1}", _replica_lost_errors(page.metadata)
                        return
                    await _wait_for_wake(follower)
        finally:
            if self._local_followers.get(key) is follower:
                del self._local_followers[key]

    async def _read(self, key: tuple[str, str], number: int) -> LogPage | None:
        """Return the next page. Wait for as long as Redis is unavailable."""
        while True:
            try:
                return await self._copies.read(*key, number)
            except StateUnavailable:
                await asyncio.sleep(POLL_SECONDS)

    def _send_to_replica(self, replica: str, event: str, key: tuple[str, str]) -> None:
        self._bus.send_to(replica, f"log {event}", key=key, by=self._bus.replica_id)

    async def _on_follow(self, body: Payload) -> None:
        session, stream = body["key"]
        log = self.local.find_log(session, stream)
        if log is None:
            return
        log.detach_followers()
        previous = self._remote_followers.get((session, stream))
        if previous is not None and previous != body["by"]:
            self._send_to_replica(previous, "left", (session, stream))
        self._remote_followers[session, stream] = body["by"]
        # Events may have arrived since the follower read its page.
        self._send_to_replica(body["by"], "more", (session, stream))

    async def _on_more(self, body: Payload) -> None:
        session, stream = body["key"]
        if (follower := self._local_followers.get((session, stream))) is not None:
            follower.wake_event.set()

    async def _on_left(self, body: Payload) -> None:
        session, stream = body["key"]
        if (follower := self._local_followers.get((session, stream))) is not None:
            follower.end()


async def _wait_for_wake(follower: Follower) -> None:
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await follower.wake_event.wait()
    except TimeoutError:
        # Time to poll.
        return


def _replica_lost_errors(ids: Sequence[Id]) -> bytes:
    """Return the error responses to the requests with these *ids*: an object for one, an array for a batch."""
    errors = [error_bytes(RpcError(INTERNAL_ERROR, REPLICA_LOST), id) for id in ids]
    return errors[0] if len(errors) == 1 else orjson.dumps([orjson.Fragment(error) for error in errors])
