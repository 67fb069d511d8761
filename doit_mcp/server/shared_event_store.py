"""Replay among replicas: a client that lost its connection may come back at any of them (issue 6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson

from ..protocol.jsonrpc import INTERNAL_ERROR, Id, RpcError, error_bytes
from ..redis_state.errors import Away
from ..redis_state.event_logs import Logs, Page
from ..redis_state.message_bus import Body, Bus
from .event_store import MOST_BYTES, Log, Replays, place

# Whoever follows is woken when something comes; this is for the wake-up that got lost, and for a holder that died.
LOOK_S = 1.0
DEAD = "The server that was answering was restarted; call again"


class Follower:
    """Somebody here who follows a log that another replica writes."""

    __slots__ = ("over", "woken")

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.over = False

    def end(self) -> None:
        """The client went on elsewhere, or its session ended."""
        self.over = True
        self.woken.set()


class SharedReplays(Replays):
    """Logs of this replica's streams, with a copy of each in Redis, and ways to those of others.

    Each message goes to one stream alone, so the writer of a log knows who follows it: here, or at which replica.
    """

    def __init__(self, logs: Logs, bus: Bus, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(most_bytes)
        self._copies, self._bus = logs, bus
        # Replicas that follow logs of this one, and who follows here logs of others; by session and stream.
        self._followed: dict[tuple[str, str], str] = {}
        self._following: dict[tuple[str, str], Follower] = {}
        bus.on("log follow", self._on_follow)
        bus.on("log more", self._on_more)
        bus.on("log left", self._on_left)

    async def begin(self, session: str, log: Log) -> None:
        """Let other replicas know of it first."""
        if (session, log.stream) in self._logs:
            await self._copies.begin(session, log.stream, list(log.ids))

    async def keep(self, session: str, log: Log, data: bytes, *, last: bool = False) -> str:
        """Keep a message in both."""
        id = self.add(session, log, data, last=last)
        await self._copied(session, log, data, last)
        return id

    async def end(self, session: str, log: Log) -> None:
        """Whoever follows comes to the end, everywhere."""
        self.finish(log)
        await self._copied(session, log, b"", True)

    async def _copied(self, session: str, log: Log, data: bytes, last: bool) -> None:
        key = session, log.stream
        if key in self._logs:
            number = log.first + len(log.events) - 1
            await self._copies.add(session, log.stream, number, data, last=last)
            if key in self._followed:
                self._tell(self._followed[key], "more", key)

    def _drop(self, session: str, stream: str) -> Log:
        self._copies.drop(session, stream)
        self._followed.pop((session, stream), None)
        return super()._drop(session, stream)

    def forget(self, session: str) -> None:
        """The session ended; so do logs and followers here."""
        super().forget(session)
        for key, follower in list(self._following.items()):
            if key[0] == session:
                follower.end()

    async def after(self, session: str, event_id: str) -> AsyncIterator[tuple[str, bytes]] | None:
        """What came after this event, wherever the stream was."""
        stream, number = place(event_id)
        key = session, stream
        if key in self._logs:
            if (other := self._followed.pop(key, None)) is not None:
                self._tell(other, "left", key)
            return await super().after(session, event_id)
        if number is None:
            return None
        page = await self._copies.read(session, stream, number)
        # The client can have seen a message a moment before Redis has it.
        if page is not None and number > page.last and page.alive and not page.done:
            await asyncio.sleep(LOOK_S)
            page = await self._copies.read(session, stream, number)
        if page is None or number > page.last or page.first > number + 1:
            return None
        return self._follow(key, number, page.holder)

    async def _follow(self, key: tuple[str, str], number: int, holder: str) -> AsyncIterator[tuple[str, bytes]]:
        if (before := self._following.get(key)) is not None:
            before.end()
        follower = self._following[key] = Follower()
        self._tell(holder, "follow", key)
        try:
            while not follower.over:
                follower.woken.clear()
                page = await self._read(key, number)
                if page is None or (page.done and number >= page.last):
                    return
                for number, data in page.messages:
                    yield f"{key[1]}_{number}", data
                if not page.messages:
                    if not page.alive:
                        if not page.about:
                            # It is not known which requests to answer.
                            return
                        yield f"{key[1]}_{number + 1}", _dead(page.about)
                        return
                    await _woken(follower)
        finally:
            if self._following.get(key) is follower:
                del self._following[key]

    async def _read(self, key: tuple[str, str], number: int) -> Page | None:
        """The next page, however long Redis is away."""
        while True:
            try:
                return await self._copies.read(*key, number)
            except Away:
                await asyncio.sleep(LOOK_S)

    def _tell(self, replica: str, what: str, key: tuple[str, str]) -> None:
        self._bus.tell(replica, f"log {what}", key=key, by=self._bus.id)

    async def _on_follow(self, body: Body) -> None:
        session, stream = body["key"]
        log = self._logs.get((session, stream))
        if log is None:
            return
        log.leave()
        before = self._followed.get((session, stream))
        if before is not None and before != body["by"]:
            self._tell(before, "left", (session, stream))
        self._followed[session, stream] = body["by"]
        # What came in between.
        self._tell(body["by"], "more", (session, stream))

    async def _on_more(self, body: Body) -> None:
        session, stream = body["key"]
        if (follower := self._following.get((session, stream))) is not None:
            follower.woken.set()

    async def _on_left(self, body: Body) -> None:
        session, stream = body["key"]
        if (follower := self._following.get((session, stream))) is not None:
            follower.end()


async def _woken(follower: Follower) -> None:
    try:
        async with asyncio.timeout(LOOK_S):
            await follower.woken.wait()
    except TimeoutError:
        # Time to look by oneself.
        return


def _dead(ids: Sequence[Id]) -> bytes:
    """The error answers to the requests *ids*: an object for one, an array for a batch."""
    answers = [error_bytes(RpcError(INTERNAL_ERROR, DEAD), id) for id in ids]
    return answers[0] if len(answers) == 1 else orjson.dumps([orjson.Fragment(one) for one in answers])
