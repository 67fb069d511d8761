"""Open event streams and raw sockets. Every message on a stream is checked against the schema of its revision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.transports.http.serving import Json, Site
from tests.wire_schema import check


@dataclass(frozen=True)
class Event:
    """One event, field by field; *lines* are all its lines as received."""

    lines: tuple[str, ...]

    def field(self, name: str) -> str | None:
        fields = (line.partition(":") for line in self.lines)
        values = [value.removeprefix(" ") for key, _, value in fields if key == name]
        assert len(values) <= 1, self.lines
        return values[0] if values else None

    @property
    def id(self) -> str | None:
        return self.field("id")

    @property
    def data(self) -> str:
        return self.field("data") or ""


class Stream:
    """A response that is read as it arrives; *method* is that of its request."""

    def __init__(self, response: aiohttp.ClientResponse, revision: str, method: str | None = None) -> None:
        self.response, self.revision, self.method = response, revision, method

    async def event(self) -> Event:
        """Return the next event that is not a comment, or an empty one at the end."""
        lines: list[str] = []
        while line := await asyncio.wait_for(self.response.content.readline(), 20):
            text = line.decode().removesuffix("\n")
            if text and not text.startswith(":"):
                lines.append(text)
            elif lines:
                break
        return Event(tuple(lines))

    async def message(self) -> Any:
        """Return the message of the next event that has one."""
        event = await self.event()
        while event.lines and not event.data:
            event = await self.event()
        assert event.lines, "the stream ended"
        assert event.field("event") in (None, "message") and set(field_names(event)) <= {"id", "event", "data"}
        message = json.loads(event.data)
        check(self.revision, message, self.method)
        return message

    async def until(self, method: str) -> Json:
        """Return the next message with this method, or the next response for ""."""
        while (message := await self.message()).get("method", "") != method:
            pass
        answer: Json = message
        return answer

    async def ends(self) -> bool:
        """Return whether the stream ends without another event."""
        return not (await self.event()).lines


def field_names(event: Event) -> list[str]:
    return [line.partition(":")[0] for line in event.lines]


@asynccontextmanager
async def open_stream(
    site: Site, message: Any, headers: Mapping[str, str], revision: str, path: str = "/mcp"
) -> AsyncIterator[Stream]:
    """POST *message* and read the response as a stream."""
    async with site.http.post(site.base + path, json=message, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Stream(response, revision, message.get("method") if isinstance(message, dict) else None)


class Wire:
    """A raw connection, for requests that no HTTP client would send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def rest(self) -> bytes:
        """Return everything until the server closes the connection."""
        return await asyncio.wait_for(self.reader.read(), 20)

    async def answer(self) -> tuple[int, bytes]:
        """Return status and body of the next response, which must have a length."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await asyncio.wait_for(self.reader.readexactly(int(fields.get("content-length", 0))), 20)
        return int(head.split()[1]), body


@asynccontextmanager
async def raw_connection(site: Site) -> AsyncIterator[Wire]:
    """A raw connection to the server."""
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def raw_post(site: Site, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A POST to /mcp as bytes. Content-Length is the length of *body* unless *headers* override it."""
    fields = {
        "Host": site.base.removeprefix("http://"),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    return b"POST /mcp HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode() + b"\r\n" + body
