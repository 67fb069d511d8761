"""Replay among replicas: a client that lost its connection may come back at any of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson

from ..protocol.jsonrpc import INTERNAL_ERROR, Id, RpcError, error_bytes
from ..redis_state.errors import Unavailable
from ..redis_state.event_logs import EventLogs, LogPage
from ..redis_state.message_bus import MessageBus, Payload
from .event_store import MAX_TOTAL_BYTES, EventLog, EventStore, parse_event_id

# Whoever follows is woken when something comes; this is for the wake-up that got lost, and for a holder that died.
POLL_SECONDS = 1.0
REPLICA_LOST = "The server that was answering was restarted; call again"


class Follower:
    """Somebody here who follows a log that another replica writes."""

    __slots__ = ("ended", "wake_event")

    def __init__(self) -> None:
        self.wake_event = asyncio.Event()
        self.ended = False

    def end(self) -> None:
        """The client went on elsewhere, or its session ended."""
        self.ended = True
        self.wake_event.set()


class SharedEventStore(EventStore):
    """Logs of this replica's streams, with a copy of each in Redis, and ways to those of others.

    Each message goes to one stream alone, so the writer of a log knows who follows it: here, or at which replica.
    """

    def __init__(self, logs: EventLogs, bus: MessageBus, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        super().__init__(max_bytes)
        self._copies, self._bus = logs, bus
        # Replicas that follow logs of this one, and who follows here logs of others; by session and stream.
        self._remote_followers: dict[tuple[str, str], str] = {}
        self._local_followers: dict[tuple[str, str], Follower] = {}
        bus.on_message("log follow", self._on_follow)
        bus.on_message("log more", self._on_more)
        bus.on_message("log left", self._on_left)

    async def begin_log(self, session: str, log: EventLog) -> None:
        """Let other replicas know of it first."""
        if (session, log.stream) in self._logs:
            await self._copies.create(session, log.stream, list(log.request_ids))

    async def append_event(self, session: str, log: EventLog, data: bytes, *, last: bool = False) -> str:
        """Keep a message in both."""
        id = self.append_local(session, log, data, last=last)
        await self._copy_event(session, log, data, last)
        return id

    async def end_log(self, session: str, log: EventLog) -> None:
        """Whoever follows comes to the end, everywhere."""
        self.end_local(log)
        await self._copy_event(session, log, b"", True)

    async def _copy_event(self, session: str, log: EventLog, data: bytes, last: bool) -> None:
        key = session, log.stream
        if key in self._logs:
            number = log.first_number + len(log.events) - 1
            await self._copies.add(session, log.stream, number, data, last=last)
            if key in self._remote_followers:
                self._send_to_replica(self._remote_followers[key], "more", key)

    def _drop_log(self, session: str, stream: str) -> EventLog:
        self._copies.delete(session, stream)
        self._remote_followers.pop((session, stream), None)
        return super()._drop_log(session, stream)

    def forget_session(self, session: str) -> None:
        """The session ended; so do logs and followers here."""
        super().forget_session(session)
        for key, follower in list(self._local_followers.items()):
            if key[0] == session:
                follower.end()

    async def events_after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """What came after this event, wherever the stream was."""
        stream, number = parse_event_id(event_id)
        key = session, stream
        if key in self._logs:
            if (other := self._remote_followers.pop(key, None)) is not None:
                self._send_to_replica(other, "left", key)
            return await super().events_after(session, event_id)
        if number is None:
            return None
        page = await self._copies.read(session, stream, number)
        # The client can have seen a message a moment before Redis has it.
        if page is not None and number > page.last and page.holder_alive and not page.complete:
            await asyncio.sleep(POLL_SECONDS)
            page = await self._copies.read(session, stream, number)
        if page is None or number > page.last or page.first > number + 1:
            return None
        return self._follow(key, number, page.holder)

    async def _follow(self, key: tuple[str, str], number: int, holder: str) -> AsyncIterator[tuple[str, bytes]]:
        if (before := self._local_followers.get(key)) is not None:
            before.end()
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
                            # It is not known which requests to answer.
                            return
                        yield f"{key[1]}_{number + 1}", _replica_lost_errors(page.metadata)
                        return
                    await _wait_for_wake(follower)
        finally:
            if self._local_followers.get(key) is follower:
                del self._local_followers[key]

    async def _read(self, key: tuple[str, str], number: int) -> LogPage | None:
        """The next page, however long Redis is away."""
        while True:
            try:
                return await self._copies.read(*key, number)
            except Unavailable:
                await asyncio.sleep(POLL_SECONDS)

    def _send_to_replica(self, replica: str, what: str, key: tuple[str, str]) -> None:
        self._bus.send_to(replica, f"log {what}", key=key, by=self._bus.replica_id)

    async def _on_follow(self, body: Payload) -> None:
        session, stream = body["key"]
        log = self._logs.get((session, stream))
        if log is None:
            return
        log.detach_followers()
        before = self._remote_followers.get((session, stream))
        if before is not None and before != body["by"]:
            self._send_to_replica(before, "left", (session, stream))
        self._remote_followers[session, stream] = body["by"]
        # What came in between.
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
        # Time to look by oneself.
        return


def _replica_lost_errors(ids: Sequence[Id]) -> bytes:
    """The error answers to the requests *ids*: an object for one, an array for a batch."""
    answers = [error_bytes(RpcError(INTERNAL_ERROR, REPLICA_LOST), id) for id in ids]
    return answers[0] if len(answers) == 1 else orjson.dumps([orjson.Fragment(one) for one in answers])
