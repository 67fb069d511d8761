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
from ..api.http import connect as upstream_at
from ..catalog.toolsets import Selection
from ..process.daemon_threads import BlockingCalls
from ..process.signals import on_stop_signal
from ..protocol import request_metadata
from ..protocol.jsonrpc import INVALID_REQUEST, Message, Request, RpcError, error_bytes, message, parse, result_bytes
from ..protocol.request_metadata import Caller
from ..protocol.revisions import UNSAID
from ..resilience.concurrency import Full, Slots
from ..server.api_client import connect
from ..server.batches import messages, taken
from ..server.catalog import product
from ..server.handlers import lifecycle
from ..server.message_queue import Outbox
from ..server.notification_hub import Hub
from ..server.request_context import Connect, Context, Offer, Shared
from ..server.request_runner import Work
from ..server.sessions import Session
from ..server.signed_state import Seals
from ..server.tasks import Tasks
from ..settings import Settings

log = logging.getLogger(__name__)

OWNER = "stdio"
STDIN, STDOUT = 0, 1
# What is still running when the client closes the pipe, or at a signal to stop, gets this long to end.
LAST_WORDS_S = 10.0
# And then the client, to read the last messages.
LAST_WRITE_SECONDS = 2.0


class Pipe:
    """Writes messages; it is the channel and the destination of every request here."""

    may_stream = True

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = asyncio.Lock()
        self._write_calls = BlockingCalls("stdout")
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

    async def nothing(self) -> None:
        """A cancelled request has no answer."""


class Stdio:
    """Takes lines, one client's. Each message is judged by itself, so both eras may come over one pipe."""

    def __init__(self, offer: Offer, connect: Connect, pipe: Pipe, settings: Settings) -> None:
        hub = Hub()
        self._offer, self._connect, self._pipe = offer, connect, pipe
        self._shared = Shared(
            hub,
            Seals(os.urandom(32)),
            Tasks(hub),
            settings.console_base,
            audit_required=settings.audit_required,
        )
        self._customer = settings.tenant_id or settings.customer_context
        self._work = Work(Slots(per_owner=settings.calls_total, total=settings.calls_total))
        self._session = Session("stdio", OWNER, Caller(UNSAID), 0.0)
        self._outbox = Outbox()

    async def run(self, lines: AsyncIterator[bytes], stop: asyncio.Event) -> None:
        """Answer until the client closes one of its ends, or *stop* is set; then end what is under way."""
        self._session.listen(self._outbox)
        pump = asyncio.create_task(self._pump())
        with self._shared.hub.listening(OWNER, self._session.hear):
            ends = [asyncio.create_task(one) for one in (self._read(lines), stop.wait(), self._pipe.broken.wait())]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if ends[0].done():
                    ends[0].result()
            finally:
                await _cancel(ends)
        self._shared.hub.close()
        await self._work.finish(LAST_WORDS_S)
        await self._shared.tasks.end_all()
        self._outbox.close()
        await asyncio.wait([pump], timeout=LAST_WRITE_SECONDS)
        await _cancel([pump])

    async def _read(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            await self._take(line)

    async def _pump(self) -> None:
        while (data := await self._outbox.get()) is not None:
            await self._pipe.send(data)

    async def _take(self, line: bytes) -> None:
        try:
            value = parse(line)
            if isinstance(value, list):
                self._batch(messages(self._with_batches(value)))
            else:
                self._one(message(value))
        except RpcError as error:
            await self._pipe.send(error_bytes(error, error.id))

    def _with_batches(self, values: list[object]) -> list[object]:
        if not self._session.caller.revision.has("batches"):
            raise RpcError(INVALID_REQUEST, "Invalid Request: this revision has no batches; send one message")
        return values

    def _one(self, item: Message) -> None:
        if not isinstance(item, Request):
            self._session.receive(item)
        elif request_metadata.has_envelope(item):
            self._start(item, request_metadata.envelope(item, None))
        elif item.method == "initialize":
            self._session.caller = lifecycle.hello(item)
            self._outbox.put(result_bytes(item.id, lifecycle.welcome(self._offer, self._session.caller)))
        else:
            self._start(item, self._session.caller)

    def _context(self, caller: Caller) -> Context:
        context = Context(self._offer, caller, OWNER, self._connect, self._pipe, self._shared, self._session)
        return context._replace(tenant=self._customer)

    def _start(self, item: Request, caller: Caller) -> None:
        try:
            self._work.start(self._context(caller), item, self._pipe)
        except Full as full:
            raise RpcError(INVALID_REQUEST, str(full), id=item.id) from full

    def _batch(self, read: list[Message | RpcError]) -> None:
        if taken(self._session, read):
            return
        try:
            self._work.start_batch(self._context(self._session.caller), self._session, read, self._pipe)
        except Full as full:
            raise RpcError(INVALID_REQUEST, str(full)) from full


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def lines_of(source: BinaryIO, longest: int) -> AsyncIterator[bytes]:
    """The lines of *source*; one that is too long comes as an empty one, which is answered with a parse error."""
    read = BlockingCalls("stdin")
    while True:
        line = await read(source.readline, longest + 1)
        if not line:
            return
        if len(line) > longest and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = await read(source.readline, longest)
            yield b""
        elif line.strip():
            yield line


@asynccontextmanager
async def _api(settings: Settings) -> AsyncIterator[Connect]:
    async def credential(*, fresh: bool = False) -> str:
        if fresh:
            raise CredentialError("refused", "The DoiT API does not accept the key in DOIT_API_KEY")
        return settings.api_key

    async with upstream_at(settings.doit_api_base) as upstream:
        yield partial(connect, upstream, credential, settings.tenant_id or settings.customer_context)


async def serve(settings: Settings) -> None:
    """Serve the client on standard input and output until it closes the pipe, or a signal to stop."""
    stop = asyncio.Event()
    on_stop_signal(stop.set)
    # Not sys.stdin and sys.stdout: at exit Python would wait for a line that is being read, and fail at what a broken
    # pipe left in the buffer.
    # Opening a descriptor does not block, and neither file is closed: the process ends first.
    source, out = open(STDIN, "rb", closefd=False), open(STDOUT, "wb", closefd=False)  # noqa: ASYNC230, SIM115
    pipe = Pipe(out)
    async with _api(settings) as api:
        stdio = Stdio(product()(Selection(), False), api, pipe, settings)
        await stdio.run(lines_of(source, settings.max_body), stop)
    if (failure := pipe.failure) is not None and not isinstance(failure, BrokenPipeError):
        log.error("standard output cannot be written", extra={"reason": os.strerror(failure.errno or 0)})
        sys.exit(1)
