"""Worker processes that serve one port, and the supervisor that starts, restarts and stops them."""

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

# The pause before a restart doubles each time, up to the maximum.
MIN_RESTART_DELAY_SECONDS, MAX_RESTART_DELAY_SECONDS = 0.5, 30.0
# After serving for this long, a worker that ends is restarted after the shortest pause again.
STABLE_AFTER_SECONDS = 60.0
# The supervisor gives up after this many consecutive starts that never served, if no other worker serves: the
# configuration must be wrong.
MAX_FAILED_STARTS = 5
# Time for a worker to exit after its drain, before it is killed.
KILL_GRACE_SECONDS = 15.0


def reserve_port(host: str, port: int) -> socket.socket:
    """Return a socket that reserves the port for the workers and accepts no connections.

    Raise OSError if it is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With SO_REUSEPORT, another server of the same user could share the port, so a socket without it checks first that
    # the port is free; its SO_REUSEADDR ignores connections in TIME_WAIT. The reservation has no SO_REUSEADDR, so that
    # it excludes other servers even while no worker listens.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        port = probe.getsockname()[1]
    reservation = socket.socket(family, socket.SOCK_STREAM)
    try:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((host, port))
    except OSError:
        reservation.close()
        raise
    return reservation


class WorkerExit(NamedTuple):
    """How a worker ended: whether it stopped cleanly, and how long it served, in seconds."""

    is_clean: bool
    served_seconds: float


@dataclass(slots=True, eq=False)
class WorkerSupervisor:
    """Keeps *count* processes of *command* running. Each has *drain_seconds* to end after SIGTERM."""

    command: Sequence[str]
    environment: Mapping[str, str]
    count: int
    drain_seconds: float
    min_restart_delay: float = MIN_RESTART_DELAY_SECONDS
    _stop_requested: asyncio.Event = field(default_factory=asyncio.Event)
    _gave_up: bool = False
    _serving: set[int] = field(default_factory=set)

    async def run(self) -> bool:
        """Run the workers until a stop signal, then stop them gracefully.

        Return False if no worker started, or if one did not stop cleanly.
        """
        on_stop_signal(self._stop_requested.set)
        clean = await asyncio.gather(*(self._supervise(number) for number in range(self.count)))
        return all(clean) and not self._gave_up

    async def _supervise(self, number: int) -> bool:
        pause, failures = self.min_restart_delay, 0
        while not self._stop_requested.is_set():
            clean, served = await self._run_worker(number)
            if self._stop_requested.is_set():
                return clean
            if served >= STABLE_AFTER_SECONDS:
                pause = self.min_restart_delay
            failures = 0 if served else failures + 1
            if failures >= MAX_FAILED_STARTS and not self._serving:
                log.error("workers fail to start; stopping the server", extra={"worker": number})
                self._gave_up = True
                self._stop_requested.set()
                return False
            extra = {"worker": number, "served_s": round(served, 1), "pause_s": pause, "serving": len(self._serving)}
            log.error("worker ended unexpectedly: restarting it after a pause", extra=extra)
            await self._sleep_unless_stopped(pause)
            pause = min(2 * pause, MAX_RESTART_DELAY_SECONDS)
        return True

    async def _run_worker(self, number: int) -> WorkerExit:
        """Run one worker until it ends."""
        # The worker's standard input. The worker reports there that it serves, and stops when the supervisor's end
        # closes.
        supervisor_end, worker_end = socket.socketpair()
        with supervisor_end:
            with worker_end:
                process = await asyncio.create_subprocess_exec(
                    *self.command, stdin=worker_end.fileno(), env=dict(self.environment), start_new_session=True
                )
            log.info("worker started", extra={"worker": number, "pid": process.pid})
            ended = asyncio.create_task(process.wait())
            stop = asyncio.create_task(self._stop_requested.wait())
            serving = asyncio.create_task(self._wait_until_serving(supervisor_end, number))
            try:
                await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    process.terminate()
                    await asyncio.wait({ended}, timeout=self.drain_seconds + KILL_GRACE_SECONDS)
                since = await serving if serving.done() else None
                served = 0.0 if since is None else time.monotonic() - since
                log.info("worker ended", extra={"worker": number, "status": process.returncode})
                # A worker that never served has no handler for SIGTERM yet.
                clean_statuses = (0,) if since is not None else (0, -signal.SIGTERM)
                return WorkerExit(ended.done() and process.returncode in clean_statuses, served)
            finally:
                self._serving.discard(number)
                stop.cancel()
                serving.cancel()
                if process.returncode is None:
                    process.kill()
                # Both use descriptors that are closed next.
                await asyncio.wait({ended, serving})

    async def _wait_until_serving(self, connection: socket.socket, number: int) -> float | None:
        """Wait until the worker reports that it serves. Return the monotonic time, or None if it ended first."""
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
    """Return the command line of a worker on *port*. Its settings come from the environment."""
    return [sys.executable, "-m", "doit_mcp", "serve", "--worker", "--port", str(port)]


def report_serving() -> None:
    """Report to the supervisor that this worker serves."""
    os.write(sys.stdin.fileno(), b"\n")


def stop_when_orphaned(stop_event: asyncio.Event) -> None:
    """Set *stop_event* when the supervisor of this worker has ended."""
    loop = asyncio.get_running_loop()

    def read_input() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop_event.set()

    loop.add_reader(sys.stdin.fileno(), read_input)
