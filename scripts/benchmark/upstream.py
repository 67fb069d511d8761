"""Upstream stub: an API with one small report, and an identity provider's keys and token exchange. A report whose id
starts with "slow" takes a second.

A bare asyncio.Protocol, to respond faster than any server can send requests. ``python -m scripts.benchmark.upstream
DIRECTORY`` prints its URL once it listens.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import cast
from urllib.request import urlopen

from .inputs import Inputs
from .machine import run_async

ROWS = [
    {"date": f"2026-03-{day:02}", "service": "Compute Engine", "project": "rockets", "cost": 120.5 + day, "credits": 0}
    for day in range(1, 11)
]
TOKEN_RESPONSE = json.dumps(
    {
        "access_token": "a-token-of-the-api",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 86_400,
    }
).encode()


KEYS_PATH = b"/.well-known/jwks.json"
# Returns the number of requests for the keys.
KEY_FETCHES_PATH = "/key-fetches"
SLOW_SECONDS = 1.0


def count_key_fetches(inputs: Inputs) -> int:
    """The number of requests for the keys so far."""
    with urlopen(inputs.urls["issuer"] + KEY_FETCHES_PATH, timeout=10) as response:
        return int(response.read())


def report_parts() -> tuple[bytes, bytes]:
    """The report of about 1 KB, before and after the requested id."""
    body = json.dumps({"id": "-id-", "status": "COMPLETED", "rows": ROWS}, separators=(",", ":"))
    before, _, after = body.encode().partition(b"-id-")
    return before, after


class UpstreamProtocol(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, keys: bytes, request_counts: Counter[bytes]) -> None:
        self._keys, self._request_counts = keys, request_counts
        self._received = b""
        self._before, self._after = report_parts()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # A cast, because uvloop's transports are not registered as subclasses.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            size = self._body_size(head)
            if len(self._received) < end + 4 + size:
                return
            self._received = self._received[end + 4 + size :]
            self._respond(head)

    @staticmethod
    def _body_size(head: bytes) -> int:
        if head.startswith(b"GET "):
            return 0
        _, _, value = head.lower().partition(b"\r\ncontent-length:")
        return int(value.partition(b"\r\n")[0] or b"0")

    def _respond(self, head: bytes) -> None:
        path, _, query = head.split(b" ", 2)[1].partition(b"?")
        self._request_counts[path] += 1
        if path == b"/small":
            body = self._before + query.removeprefix(b"id=") + self._after
        elif path == KEY_FETCHES_PATH.encode():
            body = b"%d" % self._request_counts[KEYS_PATH]
        else:
            body = self._keys if path == KEYS_PATH else TOKEN_RESPONSE
        head_bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        if query.startswith(b"id=slow"):
            # Clients send no second request on a connection before the first response.
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, head_bytes + body)
        else:
            self.transport.write(head_bytes + body)


async def serve(directory: Path) -> None:
    """Serve on a free port until killed."""
    make_protocol = partial(UpstreamProtocol, (directory / "jwks.json").read_bytes(), Counter[bytes]())
    server = await asyncio.get_running_loop().create_server(make_protocol, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    run_async(serve(Path(sys.argv[1])))
