"""Workers: several processes that serve one port, watched over by the one that an operator started."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

# A worker that ends is started anew; one that keeps ending at once is waited for longer and longer (seconds).
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LIVED_S = 60.0
# Starts that fail one after the other before all is given up: what does not come up now does not come up by itself.
MOST_FAILURES = 5
# What a worker gets beyond its own drain before it is killed (seconds).
GRACE_S = 15.0


def reserve(host: str, port: int) -> socket.socket:
    """A socket that holds the port for sockets of the same user, and takes no connection itself. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError:
        held.close()
        raise
    return held


@dataclass(slots=True, eq=False)
class Workers:
    """So many processes of one command. *drain_s* is what each may take to end when it is told to."""

    command: Sequence[str]
    environment: Mapping[str, str]
    count: int
    drain_s: float
    first_pause: float = FIRST_PAUSE_S
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _failed: bool = False

    async def run(self) -> bool:
        """Keep them running until SIGTERM or SIGINT, then end them politely; False where they do not come up, or did
        not end by themselves."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.set)
        polite = await asyncio.gather(*(self._keep(number) for number in range(self.count)))
        return all(polite) and not self._failed

    async def _keep(self, number: int) -> bool:
        pause, failures = self.first_pause, 0
        while not self._told.is_set():
            started = time.monotonic()
            polite = await self._once(number)
            if self._told.is_set():
                return polite
            if time.monotonic() - started >= LIVED_S:
                pause, failures = self.first_pause, 0
            failures += 1
            if failures >= MOST_FAILURES:
                log.error("a worker does not come up; all are stopped", extra={"worker": number})
                self._failed = True
                self._told.set()
                return False
            await self._unless_told(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return True

    async def _once(self, number: int) -> bool:
        """Run one worker to its end; whether that was a good one."""
        # Its standard input ends with this process, however that ends, and the worker with it.
        process = await asyncio.create_subprocess_exec(
            *self.command, stdin=asyncio.subprocess.PIPE, env=dict(self.environment), start_new_session=True
        )
        log.info("worker started", extra={"worker": number, "pid": process.pid})
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                log.error("a worker ended", extra={"worker": number, "status": process.returncode})
                return False
            process.terminate()
            await asyncio.wait({ended}, timeout=self.drain_s + GRACE_S)
            return ended.done() and process.returncode == 0
        finally:
            told.cancel()
            if process.returncode is None:
                process.kill()
            await ended

    async def _unless_told(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return


def command(port: int) -> list[str]:
    """How a worker is started: as this process was, with settings from its environment."""
    return [sys.executable, "-m", __package__ or "doit_mcp", "serve", "--worker", "--port", str(port)]


def until_orphaned(told: asyncio.Event) -> None:
    """Have a worker *told* to stop when the process that watches over it is gone."""
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            told.set()

    loop.add_reader(sys.stdin.fileno(), heard)
