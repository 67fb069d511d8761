"""Running the application on a socket, until the process is told to stop."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ...process.memory import configure_allocator
from ...process.signals import on_stop_signal
from . import app_keys
from .accept_loop import AcceptingSite
from .connection import LimitedAppRunner
from .event_stream import WRITE_TIMEOUT_SECONDS

LISTEN_BACKLOG = 1024
# What handlers still get after the drain, to write what they have; and clients, to read it.
SHUTDOWN_GRACE_SECONDS = 2.0
# New container objects before the garbage collector looks for cycles among them, and how often it then looks at older
# ones. Python's 700 are those of two calls.
GC_THRESHOLDS = (20_000, 20, 20)


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A listening socket, *reuse_port* with other processes of the same user; OSError when the address cannot be had.

    Its connections are cut off when the other side has taken nothing of an answer for WRITE_TIMEOUT_SECONDS, whether or not
    anything of ours waits for that: by the system, which has nothing to do while all is well.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG, reuse_port=reuse_port)
    # Linux knows it. Connections have what the listening socket has.
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        bound.setsockopt(socket.IPPROTO_TCP, option, int(WRITE_TIMEOUT_SECONDS * 1000))
    return bound


def socket_url(listener: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serve_app(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    """The application answers on *listener* while the block runs; then it drains."""
    edge = app[app_keys.CONNECTION_LIMITS]
    runner = LimitedAppRunner(
        app,
        edge,
        access_log=None,
        # The connection of a request is its life where the revision says so; the others shield their work.
        handler_cancellation=True,
        # How long the rest of a refused body is read, so that the client gets to see the refusal.
        lingering_time=SHUTDOWN_GRACE_SECONDS,
        shutdown_timeout=SHUTDOWN_GRACE_SECONDS,
    )
    await runner.setup()
    try:
        await AcceptingSite(runner, listener, edge).start()
        yield
    finally:
        # Still listening: who comes now is told so, and the orchestrator's probe sees it.
        await runner.shutdown()
        await runner.cleanup()
        edge.stop()


def freeze_heap() -> None:
    """To be called once the process serves. What it holds by then it holds to its end, so the garbage collector need
    not look at it again; and calls that wait for the API leave it nothing to do, so it need not look at them so often.
    """
    configure_allocator()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def wait_for_stop_signal() -> None:
    """Wait for a signal to stop."""
    told = asyncio.Event()
    on_stop_signal(told.set)
    await told.wait()
