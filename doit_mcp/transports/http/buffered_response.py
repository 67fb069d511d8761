"""Whole: an answer that is known before its first byte is sent, so that head and body go out in one piece."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from ...observability.trace import CURRENT_TRACE, TRACE_ID_HEADER

HeaderFields = tuple[tuple[str, str], ...]

# No software versions, no sniffing.
COMMON_HEADERS: HeaderFields = (("Server", "doit-mcp"), ("X-Content-Type-Options", "nosniff"))
# No cache may keep an answer.
JSON_HEADERS: HeaderFields = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
# Longer bodies are not copied to stand behind their heads.
MAX_SINGLE_WRITE_BYTES = 64 << 10


class BufferedResponse(web.StreamResponse):
    """The answer to a request like nearly all: HTTP/1.1, on a connection that stays open, from no web page. For any
    other it is the response that aiohttp makes of the same body, which takes twice as long to send.
    """

    def __init__(self, status: int, body: bytes, headers: HeaderFields = JSON_HEADERS) -> None:
        super().__init__(status=status)
        self._content, self._fixed_headers = body, headers
        self._sent = False

    @property
    def prepared(self) -> bool:
        """Whether the headers were sent."""
        return self._sent or super().prepared

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open, None where that is not known yet."""
        return True if self._sent else super().keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything, or the headers."""
        if self._sent:
            return None
        trace, transport = CURRENT_TRACE.get(), request.transport
        usual = (
            request.keep_alive
            and self.keep_alive is None
            and len(self._content) <= MAX_SINGLE_WRITE_BYTES
            and not self.headers
        )
        if usual and trace is not None and transport is not None and not transport.is_closing():
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
        """Send the rest."""
        if not self._sent:
            await super().write_eof(self._content)


@lru_cache(maxsize=16)
def _common_head(status: int, reason: str, headers: HeaderFields, second: int) -> bytes:
    """What the heads of all such answers of a second have in common."""
    fields = (*headers, *COMMON_HEADERS, ("Date", formatdate(second, usegmt=True)))
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields), ""]
    return "\r\n".join(lines).encode()
