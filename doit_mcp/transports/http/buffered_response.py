"""Fully buffered responses: headers and body are written with a single call."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from ...observability.trace import CURRENT_TRACE, TRACE_ID_HEADER
from .event_stream import STREAM_HEADERS, format_event

HeaderFields = tuple[tuple[str, str], ...]

# No software versions, and no MIME type sniffing.
COMMON_HEADERS: HeaderFields = (("Server", "doit-mcp"), ("X-Content-Type-Options", "nosniff"))
# Caches must not store responses.
JSON_HEADERS: HeaderFields = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
# Longer bodies are written separately, which avoids copying them.
MAX_SINGLE_WRITE_BYTES = 64 << 10


def make_response(
    status: int, body: bytes, headers: dict[str, str] | None = None, *, events_only: bool = False
) -> web.StreamResponse:
    """Return a buffered JSON response that caches must not store.

    With *events_only*, for clients that accept only event streams, a result (status 200) becomes a stream of one event.
    """
    kind = JSON_HEADERS
    if events_only and status == 200:
        kind, body = STREAM_HEADERS, format_event(body)
    if headers is None:
        return BufferedResponse(status, body, kind)
    return web.Response(status=status, body=body, headers=dict(kind) | headers)


class BufferedResponse(web.StreamResponse):
    """A response written at once for common requests: HTTP/1.1, on a connection that stays open, without an Origin.

    For any other request aiohttp sends the same body, which takes twice as long.
    """

    def __init__(self, status: int, body: bytes, headers: HeaderFields = JSON_HEADERS) -> None:
        super().__init__(status=status)
        self._content, self._fixed_headers = body, headers
        self._sent = False

    @property
    def prepared(self) -> bool:
        """Whether the headers have been sent."""
        return self._sent or super().prepared

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open, or None if that is not yet known."""
        return True if self._sent else super().keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the whole response if the request is a common one, otherwise only the headers."""
        if self._sent:
            return None
        trace, transport = CURRENT_TRACE.get(), request.transport
        is_common = (
            request.keep_alive
            and self.keep_alive is None
            and len(self._content) <= MAX_SINGLE_WRITE_BYTES
            and not self.headers
        )
        if is_common and trace is not None and transport is not None and not transport.is_closing():
            if request.version == HttpVersion11 and "Origin" not in request.headers:
                length = f"Content-Length: {len(self._content)}\r\n{TRACE_ID_HEADER}: {trace.id}\r\n\r\n"
                start = _common_head(self.status, self.reason, self._fixed_headers, int(time.time()))
                transport.write(start + length.encode() + self._content)
                self._sent = True
                return None
        for name, value in self._fixed_headers:
            self.headers.setdefault(name, value)
        self.content_length = len(self._content)
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send what :meth:`prepare` did not."""
        if not self._sent:
            await super().write_eof(self._content)


@lru_cache(maxsize=16)
def _common_head(status: int, reason: str, headers: HeaderFields, second: int) -> bytes:
    """Return the part of the head that all such responses within one second share."""
    fields = (*headers, *COMMON_HEADERS, ("Date", formatdate(second, usegmt=True)))
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields), ""]
    return "\r\n".join(lines).encode()
