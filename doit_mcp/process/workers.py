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
from typing import NamedTuple

from .signals import on_stop_signal

log = logging.getLogger(__name__)

# The pause before a worker that ended is started again doubles each time, up to the longest (seconds).
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
# A worker that served for so long begins with the first pause again.
LIVED_S = 60.0
# Starts in a row that never served, while no other worker serves, before all is given up: the configuration is wrong.
MAX_FAILED_STARTS = 5
# What a worker gets beyond its own drain before it is killed (seconds).
GRACE_S = 15.0


def reserve(host: str, port: int) -> socket.socket:
    """A socket that holds the port for our workers, and takes no connection itself. Raises OSError if it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Sockets that share a port do not exclude those of another server of the same user, so one that does not share
    # comes first. SO_REUSEADDR: connections that ended a moment ago are no obstacle. *held* does without, so that it
    # excludes other servers also while no worker listens.
    with socket.socket(family, socket.SOCK_STREAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))
        port = alone.getsockname()[1]
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError:
        held.close()
        raise
    return held


class End(NamedTuple):
    """How a worker ended: whether well when it was asked to, and the seconds it served."""

    polite: bool
    served: float


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
    _serving: set[int] = field(default_factory=set)

    async def run(self) -> bool:
        """Keep them running until a signal to stop, then end them politely; False where none comes up, or one did not
        end by itself."""
        on_stop_signal(self._told.set)
        polite = await asyncio.gather(*(self._keep(number) for number in range(self.count)))
        return all(polite) and not self._failed

    async def _keep(self, number: int) -> bool:
        pause, failures = self.first_pause, 0
        while not self._told.is_set():
            polite, served = await self._once(number)
            if self._told.is_set():
                return polite
            if served >= LIVED_S:
                pause = self.first_pause
            failures = 0 if served else failures + 1
            if failures >= MAX_FAILED_STARTS and not self._serving:
                log.error("no worker comes up; all are stopped", extra={"worker": number})
                self._failed = True
                self._told.set()
                return False
            extra = {"worker": number, "served_s": round(served, 1), "pause_s": pause, "serving": len(self._serving)}
            log.error("a worker ended; it is started again after a pause", extra=extra)
            await self._unless_told(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return True

    async def _once(self, number: int) -> End:
        """Run one worker to its end."""
        # The worker's standard input: it says there that it serves, and ends when this process has closed its side.
        own, given = socket.socketpair()
        with own:
            with given:
                process = await asyncio.create_subprocess_exec(
                    *self.command, stdin=given.fileno(), env=dict(self.environment), start_new_session=True
                )
            log.info("worker started", extra={"worker": number, "pid": process.pid})
            ended = asyncio.create_task(process.wait())
            told = asyncio.create_task(self._told.wait())
            serving = asyncio.create_task(self._note_serving(own, number))
            try:
                await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    process.terminate()
                    await asyncio.wait({ended}, timeout=self.drain_s + GRACE_S)
                since = await serving if serving.done() else None
                served = 0.0 if since is None else time.monotonic() - since
                log.info("worker ended", extra={"worker": number, "status": process.returncode})
                # One that did not serve yet has nothing to finish.
                good = (0,) if since is not None else (0, -signal.SIGTERM)
                return End(ended.done() and process.returncode in good, served)
            finally:
                self._serving.discard(number)
                told.cancel()
                serving.cancel()
                if process.returncode is None:
                    process.kill()
                # Both watch descriptors that are closed next.
                await asyncio.wait({ended, serving})

    async def _note_serving(self, own: socket.socket, number: int) -> float | None:
        """Wait until the worker says that it serves: the time when it did, None where it ended first."""
        own.setblocking(False)
        try:
            if not await asyncio.get_running_loop().sock_recv(own, 1):
                return None
        except ConnectionError:
            return None
        self._serving.add(number)
        return time.monotonic()

    async def _unless_told(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return


def command(port: int) -> list[str]:
    """How a worker is started: as this process was, with settings from its environment."""
    return [sys.executable, "-m", "doit_mcp", "serve", "--worker", "--port", str(port)]


def report_serving() -> None:
    """Tell the process that watches over this worker that it serves."""
    os.write(sys.stdin.fileno(), b"\n")


def until_orphaned(told: asyncio.Event) -> None:
    """Have a worker *told* to stop when the process that watches over it is gone."""
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            told.set()

    loop.add_reader(sys.stdin.fileno(), heard)
