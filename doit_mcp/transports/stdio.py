"""The same server on standard input and output, for one local client: a message a line (stdio transport)."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, BinaryIO

from ..api.errors import CredentialError
from ..api.http import open_upstream as upstream_at
from ..catalog.toolsets import Selection
from ..process.daemon_threads import DaemonThreadExecutor
from ..process.signals import on_stop_signal
from ..protocol import request_metadata
from ..protocol.jsonrpc import (
    INVALID_REQUEST,
    Message,
    Request,
    RpcError,
    error_bytes,
    parse_json,
    parse_message,
    result_bytes,
)
from ..protocol.request_metadata import Caller
from ..protocol.revisions import DEFAULT_REVISION
from ..resilience.concurrency import ConcurrencyLimiter
from ..resilience.limits import LimitExceeded
from ..server.api_client import make_api_client
from ..server.batches import parse_batch, receive_if_no_requests
from ..server.catalog import catalog_factory
from ..server.handlers import lifecycle
from ..server.message_queue import MessageQueue
from ..server.notification_hub import NotificationHub
from ..server.request_context import ApiFactory, Catalog, RequestContext, Services
from ..server.request_runner import RequestRunner
from ..server.sessions import Session
from ..server.signed_state import StateSigner
from ..server.tasks import MemoryTasks
from ..settings import Settings

log = logging.getLogger(__name__)

OWNER = "stdio"
STDIN_FD, STDOUT_FD = 0, 1
# What is still running when the client closes the pipe, or at a signal to stop, gets this long to end.
SHUTDOWN_GRACE_SECONDS = 10.0
# And then the client, to read the last messages.
LAST_WRITE_SECONDS = 2.0


class StdoutChannel:
    """Writes messages; it is the channel and the destination of every request here."""

    may_stream = True

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = asyncio.Lock()
        self._write_calls = DaemonThreadExecutor("stdout")
        # Set once nothing can be written any more.
        self.broken = asyncio.Event()
        self.failure: OSError | None = None

    async def send(self, data: bytes) -> None:
        """One message, one line. A slow reader delays this process alone. Once a write failed nothing is written."""
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
        """There is but one pipe."""

    async def finish(self, status: int, body: bytes) -> None:
        """An answer."""
        await self.send(body)

    async def finish_canceled(self) -> None:
        """A cancelled request has no answer."""


class StdioServer:
    """Takes lines, one client's. Each message is judged by itself, so both eras may come over one pipe."""

    def __init__(self, catalog: Catalog, api_factory: ApiFactory, channel: StdoutChannel, settings: Settings) -> None:
        hub = NotificationHub()
        self._catalog, self._api_factory, self._channel = catalog, api_factory, channel
        self._services = Services(
            hub,
            StateSigner(os.urandom(32)),
            MemoryTasks(hub),
            settings.console_base,
            audit_required=settings.audit_required,
        )
        self._customer = settings.tenant_id or settings.customer_context
        self._runner = RequestRunner(
            ConcurrencyLimiter(max_per_owner=settings.calls_total, max_total=settings.calls_total)
        )
        self._session = Session("stdio", OWNER, Caller(DEFAULT_REVISION), 0.0)
        self._message_queue = MessageQueue()

    async def run(self, lines: AsyncIterator[bytes], stop: asyncio.Event) -> None:
        """Answer until the client closes one of its ends, or *stop* is set; then end what is under way."""
        self._session.attach_queue(self._message_queue)
        pump = asyncio.create_task(self._send_queued())
        with self._services.notification_hub.subscribe(OWNER, self._session.send_change):
            ends = [
                asyncio.create_task(one) for one in (self._read_lines(lines), stop.wait(), self._channel.broken.wait())
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if ends[0].done():
                    ends[0].result()
            finally:
                await _cancel_all(ends)
        self._services.notification_hub.close_streams()
        await self._runner.drain(SHUTDOWN_GRACE_SECONDS)
        await self._services.tasks.end_all()
        self._message_queue.close()
        await asyncio.wait([pump], timeout=LAST_WRITE_SECONDS)
        await _cancel_all([pump])

    async def _read_lines(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            await self._handle_line(line)

    async def _send_queued(self) -> None:
        while (data := await self._message_queue.get()) is not None:
            await self._channel.send(data)

    async def _handle_line(self, line: bytes) -> None:
        try:
            value = parse_json(line)
            if isinstance(value, list):
                self._start_batch(parse_batch(self._check_batches(value)))
            else:
                self._handle_message(parse_message(value))
        except RpcError as error:
            await self._channel.send(error_bytes(error, error.id))

    def _check_batches(self, values: list[object]) -> list[object]:
        if not self._session.caller.revision.supports("batches"):
            raise RpcError(INVALID_REQUEST, "Invalid Request: this revision has no batches; send one message")
        return values

    def _handle_message(self, item: Message) -> None:
        if not isinstance(item, Request):
            self._session.receive(item)
        elif request_metadata.has_request_metadata(item):
            self._start_request(item, request_metadata.read_request_metadata(item, None))
        elif item.method == "initialize":
            self._session.caller = lifecycle.read_initialize(item)
            self._message_queue.put(
                result_bytes(item.id, lifecycle.initialize_result(self._catalog, self._session.caller))
            )
        else:
            self._start_request(item, self._session.caller)

    def _make_context(self, caller: Caller) -> RequestContext:
        context = RequestContext(
            self._catalog, caller, OWNER, self._api_factory, self._channel, self._services, self._session
        )
        return context._replace(tenant=self._customer)

    def _start_request(self, item: Request, caller: Caller) -> None:
        try:
            self._runner.start(self._make_context(caller), item, self._channel)
        except LimitExceeded as full:
            raise RpcError(INVALID_REQUEST, str(full), id=item.id) from full

    def _start_batch(self, read: list[Message | RpcError]) -> None:
        if receive_if_no_requests(self._session, read):
            return
        try:
            self._runner.start_batch(self._make_context(self._session.caller), self._session, read, self._channel)
        except LimitExceeded as full:
            raise RpcError(INVALID_REQUEST, str(full)) from full


async def _cancel_all(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def read_lines(source: BinaryIO, max_bytes: int) -> AsyncIterator[bytes]:
    """The lines of *source*; one that is too long comes as an empty one, which is answered with a parse error."""
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

    async with upstream_at(settings.doit_api_base) as upstream:
        yield partial(make_api_client, upstream, credential, settings.tenant_id or settings.customer_context)


async def serve(settings: Settings) -> None:
    """Serve the client on standard input and output until it closes the pipe, or a signal to stop."""
    stop = asyncio.Event()
    on_stop_signal(stop.set)
    # Not sys.stdin and sys.stdout: at exit Python would wait for a line that is being read, and fail at what a broken
    # pipe left in the buffer.
    # Opening a descriptor does not block, and neither file is closed: the process ends first.
    source, out = open(STDIN_FD, "rb", closefd=False), open(STDOUT_FD, "wb", closefd=False)  # noqa: ASYNC230, SIM115
    pipe = StdoutChannel(out)
    async with _connect_api(settings) as api:
        stdio = StdioServer(catalog_factory()(Selection(), False), api, pipe, settings)
        await stdio.run(read_lines(source, settings.max_body), stop)
    if (failure := pipe.failure) is not None and not isinstance(failure, BrokenPipeError):
        log.error("standard output cannot be written", extra={"reason": os.strerror(failure.errno or 0)})
        sys.exit(1)
