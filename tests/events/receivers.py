"""Receivers of events: an https server on loopback with a certificate authority of its own, which misbehaves on
request, and the resolver that leads to it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET, AF_INET6, AddressFamily
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.https_server import serving_https, write_certificate

HOST = "hooks.example"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER_SECRET = "whsec_YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk="


class Names(AbstractResolver):
    """A resolver: each query of a host takes the next of its lists of addresses; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {HOST: [["127.0.0.1"]]}
        self.asked: list[str] = []

    def __call__(self) -> Names:
        return self

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("unknown host")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host, host=item, port=port, family=AF_INET6 if ":" in item else AF_INET, proto=0, flags=0
            )
            for item in addresses
        ]

    async def close(self) -> None:
        """Do nothing: the test keeps it."""


@dataclass(frozen=True)
class Arrival:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def is_verification(self) -> bool:
        return self.json.get("type") == "verification"


Reply = Callable[[Arrival], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """What arrived, in order. *reply* answers everything but verifications, *verify* those."""

    tls: ssl.SSLContext
    ca_file: Path
    certificate_file: Path
    key_file: Path
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    reply: Reply | None = None
    verify: Reply | None = None

    def url(self, path: str = "/hook", host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"

    @property
    def events(self) -> list[Arrival]:
        """The deliveries of events."""
        return [arrival for arrival in self.arrivals if "eventId" in arrival.json]

    @property
    def controls(self) -> list[Arrival]:
        """The control messages other than verifications."""
        return [item for item in self.arrivals if "type" in item.json and not item.is_verification]

    async def wait_for(self, condition: Callable[[], Any]) -> Any:
        """Wait until *condition* is true, which is checked after each arrival."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(condition)
        return condition()

    async def wait_for_events(self, count: int) -> list[Arrival]:
        """Return the deliveries, once there are *count*."""
        await self.wait_for(lambda: len(self.events) >= count)
        return self.events

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        arrival = Arrival(request.raw_path, {k.lower(): v for k, v in request.headers.items()}, await request.read())
        async with self.changed:
            self.arrivals.append(arrival)
            self.changed.notify_all()
        if arrival.is_verification:
            return await (self.verify or echo)(arrival)
        return await self.reply(arrival) if self.reply is not None else web.Response(status=204)


async def echo(arrival: Arrival) -> web.StreamResponse:
    return web.json_response({"challenge": arrival.json["challenge"]})


def answer_with(status: int, **options: Any) -> Reply:
    async def reply(arrival: Arrival) -> web.StreamResponse:
        return web.Response(status=status, **options)

    return reply


@asynccontextmanager
async def receiving(directory: Path, *names: str) -> AsyncIterator[Receiver]:
    """Run a receiver with a certificate for *names*; HOST without any."""
    certificate_file, key_file = write_certificate(directory, *(names or (HOST,)))
    receiver = Receiver(
        ssl.create_default_context(cafile=str(certificate_file)), certificate_file, certificate_file, key_file
    )
    async with serving_https(receiver.answer, certificate_file, key_file) as receiver.port:
        yield receiver
