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
MIN_RESTART_DELAY_SECONDS, MAX_RESTART_DELAY_SECONDS = 0.5, 30.0
# A worker that served for so long begins with the first pause again.
STABLE_AFTER_SECONDS = 60.0
# Starts in a row that never served, while no other worker serves, before all is given up: the configuration is wrong.
MAX_FAILED_STARTS = 5
# What a worker gets beyond its own drain before it is killed (seconds).
KILL_GRACE_SECONDS = 15.0


def reserve_port(host: str, port: int) -> socket.socket:
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


class WorkerExit(NamedTuple):
    """How a worker ended: whether well when it was asked to, and the seconds it served."""

    is_clean: bool
    served_seconds: float


@dataclass(slots=True, eq=False)
class WorkerSupervisor:
    """So many processes of one command. *drain_seconds* is what each may take to end when it is told to."""

    command: Sequence[str]
    environment: Mapping[str, str]
    count: int
    drain_seconds: float
    min_restart_delay: float = MIN_RESTART_DELAY_SECONDS
    _stop_requested: asyncio.Event = field(default_factory=asyncio.Event)
    _gave_up: bool = False
    _serving: set[int] = field(default_factory=set)

    async def run(self) -> bool:
        """Keep them running until a signal to stop, then end them politely; False where none comes up, or one did not
        end by itself."""
        on_stop_signal(self._stop_requested.set)
        polite = await asyncio.gather(*(self._supervise(number) for number in range(self.count)))
        return all(polite) and not self._gave_up

    async def _supervise(self, number: int) -> bool:
        pause, failures = self.min_restart_delay, 0
        while not self._stop_requested.is_set():
            polite, served = await self._run_worker(number)
            if self._stop_requested.is_set():
                return polite
            if served >= STABLE_AFTER_SECONDS:
                pause = self.min_restart_delay
            failures = 0 if served else failures + 1
            if failures >= MAX_FAILED_STARTS and not self._serving:
                log.error("no worker comes up; all are stopped", extra={"worker": number})
                self._gave_up = True
                self._stop_requested.set()
                return False
            extra = {"worker": number, "served_s": round(served, 1), "pause_s": pause, "serving": len(self._serving)}
            log.error("a worker ended; it is started again after a pause", extra=extra)
            await self._sleep_unless_stopped(pause)
            pause = min(2 * pause, MAX_RESTART_DELAY_SECONDS)
        return True

    async def _run_worker(self, number: int) -> WorkerExit:
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
            told = asyncio.create_task(self._stop_requested.wait())
            serving = asyncio.create_task(self._wait_until_serving(own, number))
            try:
                await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    process.terminate()
                    await asyncio.wait({ended}, timeout=self.drain_seconds + KILL_GRACE_SECONDS)
                since = await serving if serving.done() else None
                served = 0.0 if since is None else time.monotonic() - since
                log.info("worker ended", extra={"worker": number, "status": process.returncode})
                # One that did not serve yet has nothing to finish.
                good = (0,) if since is not None else (0, -signal.SIGTERM)
                return WorkerExit(ended.done() and process.returncode in good, served)
            finally:
                self._serving.discard(number)
                told.cancel()
                serving.cancel()
                if process.returncode is None:
                    process.kill()
                # Both watch descriptors that are closed next.
                await asyncio.wait({ended, serving})

    async def _wait_until_serving(self, connection: socket.socket, number: int) -> float | None:
        """Wait until the worker says that it serves: the time when it did, None where it ended first."""
        connection.setblocking(False)
        try:
            if not await asyncio.get_running_loop().sock_recv(connection, 1):
                return None
        except ConnectionError:
            return None
        self._serving.add(number)
        return time.monotonic()

    async def _sleep_unless_stopped(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop_requested.wait()
        except TimeoutError:
            return


def worker_command(port: int) -> list[str]:
    """How a worker is started: as this process was, with settings from its environment."""
    return [sys.executable, "-m", "doit_mcp", "serve", "--worker", "--port", str(port)]


def report_serving() -> None:
    """Tell the process that watches over this worker that it serves."""
    os.write(sys.stdin.fileno(), b"\n")


def stop_when_orphaned(stop_event: asyncio.Event) -> None:
    """Have a worker *stop_event* to stop when the process that watches over it is gone."""
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop_event.set()

    loop.add_reader(sys.stdin.fileno(), heard)
