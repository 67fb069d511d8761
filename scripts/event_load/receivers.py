"""The receivers of the load: they accept events or fail, by the role in their path."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from doit_mcp.sandbox.event_receiver import EventReceiver

HEALTHY, FLAKY = "healthy", "flaky"
ROLES = (*(HEALTHY,) * 10, *(FLAKY,) * 3, "410", "413", "503", "redirect", "slow", "refused", "tls")
"""What the receiver of each group of subscriptions does."""
STATUSES = {"410": 410, "413": 413, "503": 503, "redirect": 302}
FLAKY_FAILURES = ("503", "redirect", "slow", "break")
FLAKY_SHARE, MAX_FLAKY_FAILURES = 0.5, 2
SLOW_SECONDS = 6.0


class UnreliableReceiver(EventReceiver):
    """Confirms subscriptions, fails attempts by the role in the path, and counts what it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}
        self.arrived_at: dict[str, float] = {}
        self.repeats = 0
        self.last_change = time.monotonic()

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        """Confirm subscriptions; accept an event or fail."""
        body, role = await request.read(), request.path.split("/")[1]
        if not self.has_signed(request.headers, body):
            return web.Response(status=401)
        fields = json.loads(body)
        if "challenge" in fields:
            return web.json_response({"challenge": "another" if role == "echo" else fields["challenge"]})
        if "data" not in fields:
            return web.Response(status=204)
        name = fields["data"]["id"]
        self.attempts[name] += 1
        if role == FLAKY:
            self.last_change = time.monotonic()
            if self.attempts[name] <= MAX_FLAKY_FAILURES and random.random() < FLAKY_SHARE:
                return await self._fail(request, random.choice(FLAKY_FAILURES))
        elif role != HEALTHY:
            return await self._fail(request, role)
        self.last_change = time.monotonic()
        self.repeats += name in self.ids
        self.ids.setdefault(name, set()).add(fields["eventId"])
        self.arrived_at.setdefault(name, time.monotonic())
        return web.Response(status=204)

    async def _fail(self, request: web.BaseRequest, failure: str) -> web.StreamResponse:
        self.failures[failure] += 1
        if failure in STATUSES:
            return web.Response(status=STATUSES[failure], headers={"Location": "http://169.254.169.254/"})
        if failure == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


class Relay:
    """A port of loopback that leads to the receiver at *port*, until it breaks: with *is_broken*, it has no TLS."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.is_broken = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay while the block runs. Afterwards, connections are refused."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_broken:
            writer.write(b"not TLS")
            writer.close()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until one side ends."""
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
