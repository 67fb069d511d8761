"""An https server on loopback that the identity provider's fetcher accepts as public."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doit_mcp.sandbox.identity.fetching import DocumentFetcher

from .conftest import Clock

HOST = "app.example"


class Names(AbstractResolver):
    """A resolver that returns these addresses for every name; *close* is counted with the queries."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self.open = 0

    def __call__(self) -> Names:
        self.open += 1
        return self

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=item, port=port, family=socket.AF_INET, proto=0, flags=0)
            for item in self.addresses
        ]

    async def close(self) -> None:
        self.open -= 1


class Site:
    """An https server on loopback with one configurable response."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self.trust = trust
        self.port = 0
        self.asked: list[web.BaseRequest] = []
        self.reply: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] = self.plain

    async def plain(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"a": 1})

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        return await self.reply(request)

    def fetcher(
        self,
        clock: Clock,
        names: Names | None = None,
        *,
        limit: float = 5.0,
        permitted: Callable[[str], bool] = lambda address: address == "127.0.0.1",
    ) -> DocumentFetcher:
        """A fetcher that accepts this server as public."""
        return DocumentFetcher(
            make_resolver=names or Names("127.0.0.1"),
            is_permitted=permitted,
            tls=self.trust,
            port=self.port,
            timeout_seconds=limit,
            clock=clock,
        )


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate of HOST and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate_pair = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "certificate", directory / "key"
    certificate_file.write_bytes(certificate_pair.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return certificate_file, key_file


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Site]:
    """Run the server; its certificate for HOST is stored in *directory*."""
    certificate_file, key_file = certificate(directory)
    https_site = Site(ssl.create_default_context(cafile=str(certificate_file)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    runner = web.ServerRunner(web.Server(https_site.answer), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        https_site.port = runner.addresses[0][1]
        yield https_site
    finally:
        await runner.cleanup()
