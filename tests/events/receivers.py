"""Receivers of events: an https server on loopback with a certificate authority of its own, which misbehaves on
request, and the resolver that leads to it."""

from __future__ import annotations

import asyncio
import datetime
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def write_certificate(directory: Path, *names: str) -> tuple[Path, Path]:
    """A self-signed certificate for *names*, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "certificate.pem", directory / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return certificate_file, key_file


@asynccontextmanager
async def receiving(directory: Path, *names: str) -> AsyncIterator[Receiver]:
    """Run a receiver with a certificate for *names*; HOST without any."""
    certificate_file, key_file = write_certificate(directory, *(names or (HOST,)))
    receiver = Receiver(
        ssl.create_default_context(cafile=str(certificate_file)), certificate_file, certificate_file, key_file
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    runner = web.ServerRunner(web.Server(receiver.answer), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()
