"""An https server on loopback, for tests of what sends requests to public hosts."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from doit_mcp.sandbox.certificates import make_certificate

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def write_certificate(directory: Path, *names: str) -> tuple[Path, Path]:
    """Write a certificate for the host *names* that signs itself, and its key. Return both files."""
    certificate, key = make_certificate(*names)
    certificate_file, key_file = directory / "certificate.pem", directory / "key.pem"
    certificate_file.write_text(certificate)
    key_file.write_text(key)
    return certificate_file, key_file


@asynccontextmanager
async def serving_https(answer: Answer, certificate_file: Path, key_file: Path) -> AsyncIterator[int]:
    """Serve requests on a port of loopback, and yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
