"""Runs a Redis server for tests, on a socket in a temporary folder and without persistence."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from doit_mcp.redis_state.connection import RedisConnection

# Another server that speaks the protocol, such as valkey-server.
PROGRAM = os.environ.get("DOIT_MCP_TEST_REDIS", "redis-server")


class Server:
    """The server; it can be paused, killed and started again."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder, self.options = folder, options
        self.url = f"unix://{folder}/redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--save", "", "--appendonly", "no"]
        command = [PROGRAM, *options, *self.options, "--dir", str(self.folder), "--loglevel", "warning"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except RedisError:
                assert self.process.poll() is None, "redis-server ended"

    def client(self) -> Redis:
        """A client for looking at the data."""
        return Redis.from_url(self.url)

    def fill(self) -> None:
        """Use up the memory limit and one megabyte more, so that memory freed by connections leaves no room."""
        with self.client() as client:
            allowed = int(client.config_get("maxmemory")["maxmemory"])
            try:
                for count in range(allowed >> 20):
                    client.set(f"filling:{count}", b"x" * (1 << 20))
            except OutOfMemoryError:
                client.config_set("maxmemory", 2 * allowed)
                client.set("filling:last", b"x" * (3 << 20))
                client.config_set("maxmemory", allowed)
                return
        raise AssertionError("it has more memory than it was given")

    def make_room(self) -> None:
        """Undo :meth:`fill`."""
        with self.client() as client:
            for key in client.scan_iter("filling:*"):
                client.delete(key)

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def fresh(self) -> None:
        """Start the server if necessary and empty it, whatever a test did."""
        if self.process is None:
            self.start()
        self.resume()
        with self.client() as client:
            client.flushall()


async def wait_for_redis(link: RedisConnection) -> None:
    """Wait until the connection knows that Redis is available."""
    while link.unavailable or link._probe_task is not None:
        await asyncio.sleep(0.005)


def require_program() -> None:
    """Skip the test where the program is missing; DOIT_MCP_TEST_REQUIRE_ALL=1 demands it."""
    if shutil.which(PROGRAM) is None:
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", f"{PROGRAM} is not installed"
        pytest.skip(f"{PROGRAM} is not installed")


@contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """A running server with these *options* besides the usual ones."""
    require_program()
    # A path that is short enough for a socket.
    with tempfile.TemporaryDirectory(prefix="doit-redis-") as folder:
        server = Server(Path(folder), options)
        server.start()
        try:
            yield server
        finally:
            server.kill()
