"""The stdio transport: serves one local client over standard input and output, one JSON-RPC message per line."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import BinaryIO

from ..api.errors import CredentialError
from ..api.http import open_upstream
from ..catalog.toolsets import Selection
from ..process.daemon_threads import DaemonThreadExecutor
from ..process.signals import on_stop_signal
from ..process.task_cancellation import cancel_tasks
from ..protocol.jsonrpc import INVALID_REQUEST, Id, Request, RpcError, error_bytes
from ..protocol.request_metadata import Caller, has_request_metadata, read_request_metadata
from ..protocol.revisions import DEFAULT_REVISION
from ..resilience.concurrency import ConcurrencyLimiter
from ..resilience.limits import LimitExceeded
from ..server.api_client import make_api_client
from ..server.approvals import Approvals
from ..server.consents import MemoryConsents
from ..server.message_endpoint import MessageEndpoint
from ..server.message_queue import MessageQueue
from ..server.notification_hub import NotificationHub
from ..server.payloads import Payload, parse_payload
from ..server.request_context import ApiFactory, Catalog, Services
from ..server.request_runner import RequestRunner
from ..server.sender import Sender
from ..server.sessions import Session
from ..server.signed_state import StateSigner
from ..server.tasks import MemoryTasks
from ..settings import Settings
from .catalog_wiring import catalog_from_settings

log = logging.getLogger(__name__)

OWNER = "stdio"
STDIN_FD, STDOUT_FD = 0, 1
# Time for running requests to finish after the client closes the pipe or a signal arrives.
SHUTDOWN_GRACE_SECONDS = 10.0
# Time for the client to read the last messages after that.
LAST_WRITE_SECONDS = 2.0


class StdoutChannel:
    """Writes messages to standard output. All requests share this channel."""

    may_stream = is_shared = True

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = asyncio.Lock()
        self._write_calls = DaemonThreadExecutor("stdout")
        # Set after a write failed; later messages are dropped.
        self.broken = asyncio.Event()
        self.failure: OSError | None = None

    def open(self, session: Session | None, request_ids: Sequence[Id]) -> None:
        """Do nothing: the pipe is already open."""

    async def send(self, data: bytes) -> None:
        """Write one message as one line. After a failed write, do nothing."""
        async with self._lock:
            if self.broken.is_set():
                return
            try:
                await self._write_calls(self._write, data)
            except OSError as failure:
                self.failure = failure
                self.broken.set()

    def _write(self, data: bytes) -> None:
        self._out.write(data + b"\n")
        self._out.flush()

    async def release(self) -> None:
        """Do nothing: all requests share the one pipe."""

    def withhold_response(self) -> bool:
        """Return True: no response is recorded."""
        return True

    async def finish(self, status: int, body: bytes) -> None:
        """Write a response."""
        await self.send(body)

    async def finish_canceled(self) -> None:
        """Do nothing: a canceled request gets no response."""


class StdioServer:
    """Serves one client. Stateful and stateless requests can share the pipe: each message is classified separately."""

    def __init__(self, catalog: Catalog, api_factory: ApiFactory, channel: StdoutChannel, settings: Settings) -> None:
        hub = NotificationHub()
        self._channel = channel
        self._services = Services(
            hub,
            StateSigner(os.urandom(32)),
            MemoryTasks(hub),
            settings.console_base,
            audit_required=settings.audit_required,
            approvals=Approvals.in_memory(MemoryConsents(), settings.confirm_changes),
        )
        customer = settings.tenant_id or settings.customer_context
        self._sender = Sender(catalog, OWNER, lambda session: (api_factory, None, customer))
        self._runner = RequestRunner(
            ConcurrencyLimiter(max_per_owner=settings.calls_total, max_total=settings.calls_total)
        )
        self._endpoint = MessageEndpoint(self._services, self._runner)
        self._session = Session("stdio", OWNER, Caller(DEFAULT_REVISION), 0.0)
        self._message_queue = MessageQueue()

    async def run(self, lines: AsyncIterator[bytes], stop: asyncio.Event) -> None:
        """Serve until the client closes its input or output or *stop* is set, then let running requests finish."""
        self._session.attach_queue(self._message_queue)
        queue_task = asyncio.create_task(self._send_queued())
        with self._services.notification_hub.subscribe(OWNER, self._session.send_change):
            end_tasks = [
                asyncio.create_task(coroutine)
                for coroutine in (self._read_lines(lines), stop.wait(), self._channel.broken.wait())
            ]
            try:
                await asyncio.wait(end_tasks, return_when=asyncio.FIRST_COMPLETED)
                if end_tasks[0].done():
                    end_tasks[0].result()
            finally:
                await cancel_tasks(*end_tasks)
        self._services.notification_hub.close_streams()
        await self._runner.drain(SHUTDOWN_GRACE_SECONDS)
        await self._services.tasks.end_all()
        self._message_queue.close()
        await asyncio.wait([queue_task], timeout=LAST_WRITE_SECONDS)
        await cancel_tasks(queue_task)

    async def _read_lines(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            try:
                await self._handle(await parse_payload(line))
            except RpcError as error:
                await self._channel.send(error_bytes(error, error.id))

    async def _send_queued(self) -> None:
        while (data := await self._message_queue.get()) is not None:
            await self._channel.send(data)

    async def _handle(self, payload: Payload) -> None:
        try:
            caller = self._session.caller
            if isinstance(payload, Request) and has_request_metadata(payload):
                caller = read_request_metadata(payload, None)
            await self._endpoint.handle(self._sender, caller, self._session, payload, self._channel)
        except LimitExceeded as exceeded:
            id = payload.id if isinstance(payload, Request) else None
            raise RpcError(INVALID_REQUEST, str(exceeded), id=id) from exceeded


async def read_lines(source: BinaryIO, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the lines of *source*. A line over *max_bytes* is yielded as an empty line, which causes a parse error."""
    read = DaemonThreadExecutor("stdin")
    while True:
        line = await read(source.readline, max_bytes + 1)
        if not line:
            return
        if len(line) > max_bytes and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = await read(source.readline, max_bytes)
            yield b""
        elif line.strip():
            yield line


@asynccontextmanager
async def _connect_api(settings: Settings) -> AsyncIterator[ApiFactory]:
    async def credential(*, fresh: bool = False) -> str:
        if fresh:
            raise CredentialError("refused", "The DoiT API does not accept the key in DOIT_API_KEY")
        return settings.api_key

    async with open_upstream(settings.doit_api_base) as upstream:
        yield partial(make_api_client, upstream, credential, settings.tenant_id or settings.customer_context)


async def serve(settings: Settings) -> None:
    """Serve the client on standard input and output until it closes the pipe or a signal arrives."""
    stop = asyncio.Event()
    on_stop_signal(stop.set)
    # Not sys.stdin and sys.stdout: at exit, Python would wait for a pending read and fail to flush what a broken pipe
    # left in the buffer. Opening a descriptor does not block. Neither file is closed, because the process ends first.
    source, out = open(STDIN_FD, "rb", closefd=False), open(STDOUT_FD, "wb", closefd=False)  # noqa: ASYNC230, SIM115  # see above
    channel = StdoutChannel(out)
    async with _connect_api(settings) as api_factory:
        make_catalog = catalog_from_settings(settings)
        server = StdioServer(make_catalog(Selection(), False), api_factory, channel, settings)
        await server.run(read_lines(source, settings.max_body), stop)
    if (failure := channel.failure) is not None and not isinstance(failure, BrokenPipeError):
        log.error("cannot write to standard output", extra={"reason": os.strerror(failure.errno or 0)})
        sys.exit(1)
