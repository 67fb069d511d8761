"""Running the application on a socket, until the process is told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ..protocol.jsonrpc import INVALID_REQUEST, RpcError, error_bytes
from ..trace import HEADER
from .answer import whole
from .observe import unread
from .writing import PATIENCE_S

# Also the limit on half-sent headers; proxies in front keep theirs shorter (security J9).
KEEP_ALIVE_S = 60.0
BACKLOG = 1024
# What handlers still get after the drain, to write what they have; and clients, to read it.
LAST_WORDS_S = 2.0
# Large enough that a header which is too long for us is refused by us, in our words.
MOST_HEADER = 256 << 10
# New container objects before the garbage collector looks for cycles among them, and how often it then looks at older
# ones. Python's 700 are those of two calls.
GARBAGE = (20_000, 20, 20)


class DiscreetHandler(RequestHandler):
    """Answers what cannot be read as HTTP without repeating it: aiohttp quotes the bytes, a bearer among them (X6)."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A JSON error that says no more than that, with a trace id and a log line as all requests have (G1)."""
        if status >= 500:
            super().handle_error(request, status, exc, message)
        elif request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        text = "This is not a valid HTTP request" if status < 500 else "Internal error"
        headers = {"Server": "doit-mcp", HEADER: unread(status)}
        response = whole(status, error_bytes(RpcError(INVALID_REQUEST, text), None), headers)
        response.force_close()
        return response


class DiscreetServer(web.Server):
    """Makes the handlers of connections. aiohttp has no setting for their class."""

    def __call__(self) -> RequestHandler:
        return DiscreetHandler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner with discreet handlers."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = DiscreetServer
        return server


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket, *shared* with other processes of the same user; OSError when the address cannot be had.

    Its connections are cut off when the other side has taken nothing of an answer for PATIENCE_S, whether or not
    anything of ours waits for that (security L3): by the system, which has nothing to do while all is well.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
    # Linux knows it. Connections have what the listening socket has.
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        bound.setsockopt(socket.IPPROTO_TCP, option, int(PATIENCE_S * 1000))
    return bound


def address(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def running(app: web.Application, bound: socket.socket) -> AsyncIterator[None]:
    """The application answers on *bound* while the block runs; then it drains."""
    runner = Runner(
        app,
        access_log=None,
        # The connection of a request is its life where the revision says so; the others shield their work.
        handler_cancellation=True,
        keepalive_timeout=KEEP_ALIVE_S,
        max_field_size=MOST_HEADER,
        # How long the rest of a refused body is read, so that the client gets to see the refusal.
        lingering_time=LAST_WORDS_S,
        shutdown_timeout=LAST_WORDS_S,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, bound, backlog=BACKLOG).start()
        yield
    finally:
        # Still listening: who comes now is told so, and the orchestrator's probe sees it (security L4, L5).
        await runner.shutdown()
        await runner.cleanup()


def settle_heap() -> None:
    """To be called once the process serves. What it holds by then it holds to its end, so the garbage collector need
    not look at it again; and calls that wait for the API leave it nothing to do, so it need not look at them so often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


async def stopped(told: asyncio.Event | None = None) -> None:
    """Wait for SIGTERM or SIGINT, or until it is *told* otherwise."""
    loop, told = asyncio.get_running_loop(), told or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
