"""Accepts connections, and pauses while file descriptors are short instead of dropping connections silently."""

from __future__ import annotations

import asyncio
import logging
import socket

from aiohttp import web

from ...process.file_descriptors import is_local_shortage
from .connection_limits import ConnectionLimits

log = logging.getLogger(__name__)

# Connections to accept before handling other events.
MAX_ACCEPTS_PER_EVENT = 64
PAUSE_SECONDS = 0.25


class AcceptingSite(web.BaseSite):
    """Accepts the connections of one listening socket.

    The event loop's own server hides a shortage of descriptors: uvloop accepts and closes connections at once, so
    clients see connections end for no reason, and nothing is logged.
    """

    __slots__ = ("_listener", "_limits", "_loop", "_timer", "_connecting")

    def __init__(self, runner: web.BaseRunner, listener: socket.socket, limits: ConnectionLimits) -> None:
        super().__init__(runner)
        self._listener, self._limits = listener, limits
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[object]] = set()

    @property
    def name(self) -> str:
        """The URL of the listening socket."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Start accepting connections."""
        await super().start()
        self._listener.setblocking(False)
        self._resume()

    async def stop(self) -> None:
        """Stop accepting, close the listening socket, and wait for connections that are being set up."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._connecting:
            await asyncio.wait(self._connecting)
        await super().stop()

    def _resume(self) -> None:
        self._timer = None
        self._loop.add_reader(self._listener, self._accept)

    def _pause(self, reason: str) -> None:
        """Pause accepting for PAUSE_SECONDS. New connections wait in the system's queue."""
        self._limits.record_accept_paused(reason)
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTS_PER_EVENT):
            if self._limits.is_full(len(self._connecting)):
                return self._pause("connections")
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return None
            except OSError as failure:
                if is_local_shortage(failure):
                    return self._pause("descriptors")
                # Errors of the connection itself, which accept(2) reports.
                continue
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        return None

    async def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        server = self._runner.server
        assert server is not None
        try:
            await self._loop.connect_accepted_socket(server, connection)
        except OSError:
            # The client has left already.
            connection.close()
