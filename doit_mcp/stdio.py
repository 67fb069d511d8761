"""The same server on standard input and output, for one local client: a message a line (stdio transport)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import BinaryIO

from .catalogue.selection import Selection
from .doit.errors import CredentialError
from .doit.upstream import connect as upstream_at
from .protocol import inbound
from .protocol.inbound import Caller
from .protocol.jsonrpc import (
    INVALID_REQUEST,
    Message,
    Request,
    RpcError,
    error_bytes,
    message,
    parse,
    result_bytes,
)
from .protocol.revisions import UNSAID
from .server import lifecycle
from .server.batches import messages, taken
from .server.connect import connect
from .server.context import Connect, Context, Offer, Shared
from .server.hub import Hub
from .server.outbox import Outbox
from .server.product import product
from .server.seals import Seals
from .server.sessions import Session
from .server.slots import Full, Slots
from .server.tasks import Tasks
from .server.work import Work
from .settings import Settings

log = logging.getLogger(__name__)

OWNER = "stdio"
# What is still running when the client closes the pipe gets this long to answer.
LAST_WORDS_S = 10.0


class Pipe:
    """Writes messages; it is the channel and the destination of every request here."""

    may_stream = True

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = asyncio.Lock()
        self._gone = False

    async def send(self, data: bytes) -> None:
        """One message, one line. A reader who is slow holds up this process alone; one who left is spared it."""
        async with self._lock:
            if not self._gone:
                await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        try:
            self._out.write(data + b"\n")
            self._out.flush()
        except BrokenPipeError:
            self._gone = True

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

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Answer until the client closes its end."""
        self._session.listen(self._outbox)
        pump = asyncio.create_task(self._pump())
        with self._shared.hub.listening(OWNER, self._session.hear):
            async for line in lines:
                await self._take(line)
        self._shared.hub.close()
        await self._work.finish(LAST_WORDS_S)
        await self._shared.tasks.end_all()
        self._outbox.close()
        await pump

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
        elif inbound.has_envelope(item):
            self._start(item, inbound.envelope(item, None))
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


async def lines_of(source: BinaryIO, longest: int) -> AsyncIterator[bytes]:
    """The lines of *source*; one that is too long comes as an empty one, which is answered with a parse error."""
    while True:
        line = await asyncio.to_thread(source.readline, longest + 1)
        if not line:
            return
        if len(line) > longest and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = await asyncio.to_thread(source.readline, longest)
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
    """Serve the client on standard input and output until it closes the pipe."""
    # Who waits for a line cannot be interrupted otherwise, and an interrupt would have to wait for one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Not sys.stdout: what a broken pipe leaves in its buffer would be a failure at exit.
    out = open(sys.stdout.fileno(), "wb", closefd=False)
    async with _api(settings) as api:
        stdio = Stdio(product()(Selection(), False), api, Pipe(out), settings)
        await stdio.run(lines_of(sys.stdin.buffer, settings.max_body))
