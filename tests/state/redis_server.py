"""A Redis server of the tests' own: on a socket in a folder of its own, nothing on disk, gone with the tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from doit_mcp.state.link import Link

PROGRAM = "redis-server"


class Server:
    """The server; it can be paused, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--save", "", "--appendonly", "no"]
        command = [PROGRAM, *options, "--dir", str(self.folder), "--loglevel", "warning"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except RedisError:
                assert self.process.poll() is None, "redis-server ended"

    def client(self) -> Redis:
        """For looking in from outside."""
        return Redis.from_url(self.url)

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
        """Running and empty, whatever a test did."""
        if self.process is None:
            self.start()
        self.resume()
        with self.client() as client:
            client.flushall()


async def back(link: Link) -> None:
    """Wait until the link knows that Redis can be used (again)."""
    while link.away or link._probing is not None:
        await asyncio.sleep(0.005)


@contextmanager
def redis_server() -> Iterator[Server]:
    """A running server. Where the program is missing the test is skipped; DOIT_MCP_TEST_REQUIRE_ALL=1 demands it."""
    if shutil.which(PROGRAM) is None:
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", f"{PROGRAM} is not installed"
        pytest.skip(f"{PROGRAM} is not installed")
    # A path that is short enough for a socket.
    with tempfile.TemporaryDirectory(prefix="doit-redis-") as folder:
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
