"""The search for the primary: connections that open together share it, and one silent sentinel does not stop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from doit_mcp.redis_state import primary as module
from doit_mcp.redis_state.addresses import read_shared_address
from doit_mcp.redis_state.primary import PrimaryFinder, make_finder
from tests.loopback_ports import unused_port

PRIMARY = ("127.0.0.1", 7000)
REPLY = b"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n7000\r\n"


class Sentinel:
    """A server that replies to questions for the primary once *may_reply* is set."""

    def __init__(self, reply: bytes = REPLY) -> None:
        self.questions, self.reply, self.may_reply = 0, reply, asyncio.Event()
        self.may_reply.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.upper().startswith(b"CLIENT"):
                writer.write(b"+OK\r\n")
            elif b"GET-MASTER" in line:
                self.questions += 1
                await self.may_reply.wait()
                writer.write(self.reply)
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Yield the port."""
        server = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


def finder_of(*ports: int) -> PrimaryFinder:
    """A finder that asks sentinels on these *ports*."""
    address = read_shared_address(f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/state")
    assert address is not None
    return make_finder(address)


async def test_connections_that_open_together_share_a_search() -> None:
    """With a dead sentinel first, whenever each connection starts. So a burst after a failover finds the primary."""
    sentinel = Sentinel()
    async with sentinel.running() as port:
        finder = finder_of(unused_port(), port)
        sentinel.may_reply.clear()

        async def find_after(turns: int) -> tuple[str, int]:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await finder.find()

        searches = [asyncio.create_task(find_after(turns)) for turns in range(30)]
        while not sentinel.questions:
            await asyncio.sleep(0.001)
        sentinel.may_reply.set()
        assert await asyncio.gather(*searches) == [PRIMARY] * 30 and sentinel.questions == 1
        # The sentinel that replied is asked first from now on.
        assert await asyncio.gather(*map(find_after, range(30))) == [PRIMARY] * 30
        await finder.close()


async def test_silent_sentinel_does_not_stop_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is asked as well, and a late reply of the first one still counts."""
    monkeypatch.setattr(module, "ASK_NEXT_SECONDS", 0.01)
    silent, unaware = Sentinel(), Sentinel(reply=b"*-1\r\n")
    async with silent.running() as port, unaware.running() as other:
        silent.may_reply.clear()
        finder = finder_of(port, other)
        search = asyncio.create_task(finder.find())
        while not unaware.questions:
            await asyncio.sleep(0.001)
        silent.may_reply.set()
        assert await search == PRIMARY
        await finder.close()


async def test_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that stops waiting does not end the search of another, and a search without a reply fails."""
    monkeypatch.setattr(module, "MAX_SEARCH_SECONDS", 0.05)
    silent = Sentinel()
    async with silent.running() as port:
        silent.may_reply.clear()
        finder = finder_of(port)
        first, second = asyncio.create_task(finder.find()), asyncio.create_task(finder.find())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(RedisConnectionError):
            await second
        silent.may_reply.set()
        assert await finder.find() == PRIMARY
        await finder.close()
