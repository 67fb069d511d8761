"""An https server on loopback that the identity provider's fetcher accepts as public."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from doit_mcp.sandbox.identity.fetching import DocumentFetcher
from tests.https_server import serving_https, write_certificate

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


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Site]:
    """Run the server; its certificate for HOST is stored in *directory*."""
    certificate_file, key_file = write_certificate(directory, HOST)
    https_site = Site(ssl.create_default_context(cafile=str(certificate_file)))
    async with serving_https(https_site.answer, certificate_file, key_file) as https_site.port:
        yield https_site
