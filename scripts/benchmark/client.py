"""MCP client: requests as bytes, and the handshakes of both transports, in revision 2025-11-25, which all peers
support.

A request is built once and sent many times: eight digits are replaced by its id (also where its arguments repeat it),
so that every response is distinguishable and the length stays constant.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .wire import Connection, MeasurementFailed, find_header, parse_events

REVISION = "2025-11-25"
ACCEPT = "application/json, text/event-stream"
HOST = "127.0.0.1"
ID_PLACEHOLDER = 10_000_000
TIMEOUT_SECONDS = 30.0

Message = dict[str, Any]
INITIALIZE: Message = {
    "jsonrpc": "2.0",
    "id": ID_PLACEHOLDER,
    "method": "initialize",
    "params": {
        "protocolVersion": REVISION,
        "capabilities": {},
        "clientInfo": {"name": "doit-mcp-bench", "version": "1"},
    },
}
INITIALIZED: Message = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@dataclass(frozen=True, slots=True)
class Target:
    """The server, and the credentials for it."""

    port: int
    token: str
    accept: str = ""

    def head(self, verb: str, path: str, *more: tuple[str, str], token: str = "") -> str:
        """The request line and headers, without the empty line."""
        lines = [f"{verb} {path} HTTP/1.1", f"Host: {HOST}:{self.port}"]
        lines.append(f"Authorization: Bearer {token or self.token}")
        lines += [f"{name}: {value}" for name, value in more]
        return "\r\n".join(lines) + "\r\n"

    def post(self, message: Message, session: str = "", path: str = "/mcp", token: str = "") -> list[bytes]:
        """A POST, split where its number is inserted; one part for a notification."""
        body = json.dumps(message, separators=(",", ":")).encode()
        headers = [("Accept", self.accept or ACCEPT), ("Content-Type", "application/json")]
        headers.append(("Content-Length", str(len(body))))
        if message["method"] != "initialize":
            headers.append(("MCP-Protocol-Version", REVISION))
        if session:
            headers.append(("Mcp-Session-Id", session))
        head_part, *more_parts = body.split(b"%d" % ID_PLACEHOLDER)
        return [self.head("POST", path, *headers, token=token).encode() + b"\r\n" + head_part, *more_parts]

    def get(self, path: str) -> bytes:
        """A GET that opens a stream of the HTTP+SSE transport."""
        return self.head("GET", path, ("Accept", "text/event-stream")).encode() + b"\r\n"

    def delete(self, session: str) -> bytes:
        """The DELETE that ends a session."""
        headers = (("Mcp-Session-Id", session), ("MCP-Protocol-Version", REVISION))
        return self.head("DELETE", "/mcp", *headers).encode() + b"\r\n"


def fill_id(parts: list[bytes], number: int) -> bytes:
    """A request with its number inserted."""
    return (b"%d" % number).join(parts)


async def connect(target: Target) -> Connection:
    """Open a connection."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, target.port)
    return connection


def parse_result(status: int, head: bytes, body: bytes, number: int) -> Message:
    """The result in a complete response. Raises MeasurementFailed."""
    text = body
    if b"text/event-stream" in find_header(head, "content-type"):
        text = (parse_events(body) or [b""])[-1]
    try:
        response = json.loads(text)
    except ValueError:
        response = None
    if status != 200 or not isinstance(response, dict) or response.get("id") != number or "result" not in response:
        raise MeasurementFailed(f"not the result of {number}: {status} {body[:300]!r}")
    result: Message = response["result"]
    if result.get("isError"):
        raise MeasurementFailed(f"an error: {body[:300]!r}")
    return result


async def open_session(target: Target, connection: Connection) -> str:
    """Send initialize and notifications/initialized; returns the session id, or "" for a server without sessions."""
    status, head, body = await connection.request(fill_id(target.post(INITIALIZE), ID_PLACEHOLDER))
    if "serverInfo" not in parse_result(status, head, body, ID_PLACEHOLDER):
        raise MeasurementFailed(f"initialize: {body[:300]!r}")
    session = find_header(head, "mcp-session-id").decode()
    status, _, body = await connection.request(target.post(INITIALIZED, session)[0])
    if status not in (200, 202, 204):
        raise MeasurementFailed(f"initialized: {status} {body[:300]!r}")
    return session


async def close_session(target: Target, connection: Connection, session: str) -> None:
    """DELETE the session. Raises MeasurementFailed."""
    if session:
        status, _, body = await connection.request(target.delete(session))
        if status not in (200, 202, 204):
            raise MeasurementFailed(f"DELETE: {status} {body[:300]!r}")


class LegacySession:
    """A session of the HTTP+SSE transport: a stream that delivers responses, and the path to post to."""

    def __init__(self, target: Target, stream: Connection) -> None:
        self.path = ""
        self.on_message: Callable[[bytes], None] | None = None
        self._target, self.stream = target, stream
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def _on_event(self, name: bytes, data: bytes) -> None:
        if name == b"endpoint" and not self._endpoint.done():
            self._endpoint.set_result(data.decode())
        elif self.on_message is not None:
            self.on_message(data)

    async def open(self, post: Connection) -> None:
        """Open the stream and initialize the session, posting on *post*. Raises MeasurementFailed."""
        await self.stream.open_stream(self._target.get("/sse"), self._on_event)
        parts = urlsplit(await asyncio.wait_for(self._endpoint, TIMEOUT_SECONDS))
        self.path = parts.path + (f"?{parts.query}" if parts.query else "")
        result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def receive_result(data: bytes) -> None:
            if b"serverInfo" in data and not result.done():
                result.set_result(data)

        self.on_message = receive_result
        await self._post(post, fill_id(self._target.post(INITIALIZE, path=self.path), ID_PLACEHOLDER))
        await asyncio.wait_for(result, TIMEOUT_SECONDS)
        await self._post(post, self._target.post(INITIALIZED, path=self.path)[0])
        self.on_message = None

    async def _post(self, post: Connection, request: bytes) -> None:
        status, _, body = await post.request(request)
        if status not in (200, 202):
            raise MeasurementFailed(f"post to {self.path}: {status} {body[:300]!r}")
