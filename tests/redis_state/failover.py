"""Two Redis servers that swap roles, behind one address that leads to the primary."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.redis_state.redis_server import PROGRAM, Server


class Node(Server):
    """A server with a port, so that others can replicate it."""

    port = 0

    def start(self) -> None:
        while self.process is None or self.process.poll() is not None:
            self._start()

    def _start(self) -> None:
        # The port is free now; should another process take it first, the next one is tried.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        listening = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", f"{self.folder}/redis.sock"]
        options = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--loglevel", "warning"]
        self.process = subprocess.Popen(
            [PROGRAM, *listening, *options, "--dir", str(self.folder)], stdout=subprocess.DEVNULL
        )
        while self.process.poll() is None:
            try:
                with self.client() as client:
                    client.ping()
                return
            except RedisError:
                continue

    def offset(self, name: str) -> int:
        with self.client() as client:
            return int(client.info("replication")[name])

    async def says(self, *command: str | int) -> object:
        client = Redis(unix_socket_path=f"{self.folder}/redis.sock")
        try:
            return await client.execute_command(*command)
        finally:
            await client.aclose()

    async def follow(self, primary: Node) -> None:
        """Become a replica of that server, and wait until all data is copied."""
        await self.says("REPLICAOF", "127.0.0.1", primary.port)
        while True:
            with self.client() as client:
                if client.info("replication").get("master_link_status") == "up":
                    return
            await asyncio.sleep(0.01)


class Address:
    """An address whose new connections lead to *target*; existing ones stay."""

    def __init__(self, target: Node) -> None:
        self.target, self.url, self.made = target, "", 0
        self._pumps: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        upstream_reader, back = await asyncio.open_connection("127.0.0.1", self.target.port)
        for pump in (_copy_bytes(reader, back), _copy_bytes(upstream_reader, writer)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def close(self) -> None:
        for task in list(self._pumps):
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


async def _copy_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


class Pair:
    """A primary and its replica behind one address."""

    def __init__(self, primary: Node, replica: Node, address: Address) -> None:
        self.primary, self.replica, self.address = primary, replica, address

    async def replace_primary(self) -> None:
        """Make the replica the primary and switch the address to it, while the primary hangs, as if its host died."""
        while self.replica.offset("slave_repl_offset") < self.primary.offset("master_repl_offset"):
            await asyncio.sleep(0.01)
        self.primary.pause()
        await self.replica.says("REPLICAOF", "NO", "ONE")
        self.primary, self.replica = self.replica, self.primary
        self.address.target = self.primary

    async def swap(self, *, redirect: bool = True) -> None:
        """Swap primary and replica, and by default switch the address to the new primary."""
        old, new = self.primary, self.replica
        while new.offset("slave_repl_offset") < old.offset("master_repl_offset"):
            await asyncio.sleep(0.01)
        await new.says("REPLICAOF", "NO", "ONE")
        await old.follow(new)
        self.primary, self.replica = new, old
        if redirect:
            self.address.target = new


@asynccontextmanager
async def replicated() -> AsyncIterator[Pair]:
    """A running pair."""
    with (
        tempfile.TemporaryDirectory(prefix="doit-redis-") as directory,
        tempfile.TemporaryDirectory(prefix="doit-redis-") as other,
    ):
        primary, replica = Node(Path(directory)), Node(Path(other))
        try:
            primary.start()
            replica.start()
            await replica.follow(primary)
            address = Address(primary)
            server = await asyncio.start_server(address.connected, "127.0.0.1", 0)
            address.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with server:
                yield Pair(primary, replica, address)
                await address.close()
        finally:
            primary.kill()
            replica.kill()
