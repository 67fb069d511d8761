"""A receiver of events: an https server on loopback that shows what arrived, and whether its signature is valid.

It verifies signatures by itself, so that it can reveal mistakes in the server's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from .certificates import make_certificate

HOST = "localhost"
PATH = "/hook"
STATE_PATH = "/sandbox/receiver"
MAX_ARRIVALS, MAX_BODY_BYTES = 100, 256 << 10
TOLERANCE_SECONDS = 300


class EventReceiver:
    """The receiver; *url* and *secret* are for subscriptions, and *trust* is the TLS context of clients that trust its
    *certificate*.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._key = clock, secrets.token_bytes(32)
        self.secret = f"whsec_{base64.b64encode(self._key).decode()}"
        self.url = self.certificate = ""
        self.trust = ssl.create_default_context()
        self.arrivals: deque[dict[str, Any]] = deque(maxlen=MAX_ARRIVALS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive while the block runs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate, key = make_certificate(HOST)
        self.trust.load_verify_locations(cadata=self.certificate)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "pair.pem"
            file.touch(mode=0o600)
            file.write_text(self.certificate + key)
            context.load_cert_chain(file)
        runner = web.ServerRunner(web.Server(self.receive), shutdown_timeout=1)
        await runner.setup()
        with socket.create_server(("127.0.0.1", 0)) as bound:
            self.url = f"https://{HOST}:{bound.getsockname()[1]}{PATH}"
            try:
                await web.SockSite(runner, bound, ssl_context=context).start()
                yield
            finally:
                await runner.cleanup()

    def state(self) -> dict[str, Any]:
        """What to subscribe with, and what arrived, newest first."""
        return {"url": self.url, "secret": self.secret, "arrivals": list(self.arrivals)}

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        """Show a request, and confirm a subscription."""
        if request.method != "POST" or request.path != PATH:
            return web.Response(status=404)
        body = await request.content.read(MAX_BODY_BYTES + 1)
        while chunk := await request.content.read(MAX_BODY_BYTES + 1 - len(body)):
            body += chunk
        if len(body) > MAX_BODY_BYTES:
            return web.Response(status=413)
        is_genuine = self.has_signed(request.headers, body)
        fields = _parse(body)
        self.arrivals.appendleft(
            {
                "at": self._clock(),
                "id": request.headers.get("webhook-id", "")[:100],
                "subscription": request.headers.get("X-MCP-Subscription-Id", "")[:100],
                "signature": "holds" if is_genuine else "does not hold",
                "body": fields,
            }
        )
        if not is_genuine:
            return web.Response(status=401)
        return web.json_response({"challenge": fields["challenge"]} if fields.get("type") == "verification" else {})

    def has_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the signature of a request is that of this receiver's secret, and recent (Standard Webhooks)."""
        id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        given = headers.get("webhook-signature", "")
        if not (id + timestamp + given).isascii() or not timestamp.isdigit():
            return False
        if abs(self._clock() - int(timestamp[:12])) > TOLERANCE_SECONDS:
            return False
        digest = hmac.new(self._key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        expected = f"v1,{base64.b64encode(digest).decode()}"
        return any(hmac.compare_digest(expected, one) for one in given.split())


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
