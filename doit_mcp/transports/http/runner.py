"""Runs the application on a listening socket until a signal stops the process."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ...process.memory import collect_less_often, configure_allocator
from ...process.signals import on_stop_signal
from . import app_keys
from .accept_loop import AcceptingSite
from .connection import LimitedAppRunner
from .event_stream import WRITE_TIMEOUT_SECONDS
from .request_logging import RequestHandler

LISTEN_BACKLOG = 1024
# Time after draining for handlers to write their last data and for clients to read it.
SHUTDOWN_GRACE_SECONDS = 2.0


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Return a listening socket. With *reuse_port*, other processes of the same user can listen on the same port.

    Raise OSError if the address is unavailable. Clients that read nothing of a response for WRITE_TIMEOUT_SECONDS are
    disconnected by the operating system, whether or not a handler waits for them. It costs nothing while clients read.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG, reuse_port=reuse_port)
    # Available on Linux. Connections inherit it from the listening socket.
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, int(WRITE_TIMEOUT_SECONDS * 1000))
    return listener


def socket_url(listener: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serve_app(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    """Serve *app* on *listener* while the block runs, then drain."""
    limits = app[app_keys.CONNECTION_LIMITS]
    runner = LimitedAppRunner(
        app,
        limits,
        make_handler=lambda: RequestHandler(app).handle,
        access_log=None,
        # Stateless requests end with their connection; stateful ones shield their work from cancellation.
        handler_cancellation=True,
        # How long the rest of a rejected body is read, so that the client can read the response.
        lingering_time=SHUTDOWN_GRACE_SECONDS,
        shutdown_timeout=SHUTDOWN_GRACE_SECONDS,
    )
    await runner.setup()
    try:
        await AcceptingSite(runner, listener, limits).start()
        yield
    finally:
        # Still listening: new requests get 503, and the orchestrator's probe sees the shutdown.
        await runner.shutdown()
        await runner.cleanup()
        limits.stop()


def freeze_heap() -> None:
    """Tune the allocator, exempt current objects from garbage collection, and collect less often.

    Call this once the process serves. It keeps its current objects until it exits, so collecting them is useless.
    """
    configure_allocator()
    gc.collect()
    gc.freeze()
    collect_less_often()


async def wait_for_stop_signal() -> None:
    """Wait for a signal that stops the process."""
    stopped = asyncio.Event()
    on_stop_signal(stopped.set)
    await stopped.wait()
