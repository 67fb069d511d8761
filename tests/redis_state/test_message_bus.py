"""Messages between replicas arrive once and in order, whatever happens to Redis, and foreign data does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.redis_state.encryption import Encryptor, key_prefix
from doit_mcp.redis_state.message_bus import MessageBus, Payload
from doit_mcp.resilience.unavailable import StateUnavailable
from tests.redis_state.conftest import SECRET
from tests.redis_state.redis_server import Server


class Member:
    """A replica, and the messages that it received."""

    def __init__(self, link: RedisConnection, secret: str = SECRET) -> None:
        self.bus = MessageBus(link, Encryptor(secret, "bus"), heartbeat_seconds=0.05)
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.bus.on_message("say", self._hear)

    async def _hear(self, body: Payload) -> None:
        self.heard.put_nowait(body["what"])

    async def next(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), 20)


@asynccontextmanager
async def members(redis: Server, count: int = 2) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        received = []
        for _ in range(count):
            link = open_connection(redis.url, key_prefix(SECRET), timeout=0.3)
            stack.push_async_callback(link.close)
            received.append(Member(link))
            await stack.enter_async_context(received[-1].bus.lifespan())
        yield received


async def test_publishes_to_all_or_one(redis: Server) -> None:
    async with members(redis, 3) as (a, b, c):
        a.bus.broadcast("say", what="all")
        a.bus.send_to(b.bus.replica_id, "say", what="one")
        a.bus.send_to("0" * 16, "say", what="nobody")
        a.bus.broadcast("say", what="end")
        assert {await b.next() for _ in range(3)} == {"all", "one", "end"}
        assert [await c.next() for _ in range(2)] == ["all", "end"]
        assert a.heard.empty() and c.heard.empty()


async def test_duplicate_message_is_delivered_once(redis: Server) -> None:
    """The response to a command can get lost, so commands are repeated."""
    async with members(redis) as (a, b):
        a.bus.broadcast("say", what=1)
        command, _ = a.bus.write_queue._queue[0]
        a.bus.write_queue.put(command)
        a.bus.broadcast("say", what=2)
        assert [await b.next() for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("how", ["pause", "kill"])
async def test_continues_after_an_outage(redis: Server, how: str) -> None:
    async with members(redis) as (a, b):
        a.bus.broadcast("say", what="before")
        assert await b.next() == "before"
        (redis.pause if how == "pause" else redis.kill)()
        for number in range(3):
            a.bus.broadcast("say", what=number)
        await asyncio.sleep(0.5)
        (redis.resume if how == "pause" else redis.start)()
        assert [await b.next() for _ in range(3)] == [0, 1, 2]
        b.bus.send_to(a.bus.replica_id, "say", what="back")
        with redis.client() as client:
            while not client.exists(a.bus.replica_key(a.bus.replica_id)):
                await asyncio.sleep(0.01)
        b.bus.send_to(a.bus.replica_id, "say", what="alive")
        message = await a.next()
        assert message in ("back", "alive")


async def test_foreign_messages_and_failing_handlers_are_harmless(
    redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with members(redis) as (a, b):
        failing = iter([RuntimeError("a bug"), StateUnavailable(), None])

        async def fails(body: Payload) -> None:
            if (failure := next(failing)) is not None:
                raise failure
            b.heard.put_nowait("at last")

        b.bus.on_message("fail", fails)
        a.bus.broadcast("fail")
        a.bus.broadcast("fail")
        assert await b.next() == "at last"
        a.bus.broadcast("unheard of")
        stream = a.bus._broadcast_streams[0]
        with redis.client() as client:
            client.xadd(stream, {"x": "y"})
            client.xadd(stream, {"o": "x", "n": "no number"})
            client.xadd(stream, {"o": "f" * 16, "n": "1", "m": "forged"})
        a.bus.broadcast("say", what="end")
        assert await b.next() == "end"
    assert "cannot be decrypted" in caplog.text and "could not be handled" in caplog.text


async def test_departed_replica_is_detected(redis: Server) -> None:
    async with members(redis) as (a, b):
        async with members(redis, 1) as (c,):
            with redis.client() as client:
                assert (
                    client.exists(c.bus.replica_key(c.bus.replica_id))
                    and client.pttl(c.bus.replica_key(c.bus.replica_id)) > 0
                )
            c.bus.broadcast("say", what="farewell")
        assert await a.next() == await b.next() == "farewell"
        with redis.client() as client:
            assert not client.exists(c.bus.replica_key(c.bus.replica_id))


async def test_heartbeat_handlers_run_while_redis_is_available(redis: Server, caplog: pytest.LogCaptureFixture) -> None:
    beats: asyncio.Queue[int] = asyncio.Queue()
    link = open_connection(redis.url, key_prefix(SECRET), timeout=0.3)
    bus = MessageBus(link, Encryptor(SECRET, "bus"), heartbeat_seconds=0.01)
    failing = iter([RuntimeError("a bug"), StateUnavailable()])

    async def keeper() -> None:
        if (failure := next(failing, None)) is not None:
            raise failure
        beats.put_nowait(1)

    bus.on_heartbeat(keeper)
    async with bus.lifespan():
        for _ in range(2):
            await asyncio.wait_for(beats.get(), 20)
    await link.close()
    assert "replica message loop failed; restarting it" in caplog.text


async def test_closes_without_redis(redis: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with members(redis, 1) as (a,):
        redis.kill()
        a.bus.broadcast("say", what="lost")
    assert "unavailable at shutdown" in caplog.text
    redis.start()


async def test_redis_clock_set_back(redis: Server) -> None:
    """A new Redis can start with lower ids than those that were read."""
    async with members(redis) as (a, b):
        b.bus._positions = ["9999999999999-0", "9999999999999-0"]
        redis.kill()
        redis.start()
        while b.bus._positions[0] != "0-0" and b.bus._positions[0].startswith("9999"):
            await asyncio.sleep(0.01)
        a.bus.broadcast("say", what="heard")
        assert await b.next() == "heard"
