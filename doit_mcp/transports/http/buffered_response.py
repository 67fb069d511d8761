"""Whole: an answer that is known before its first byte is sent, so that head and body go out in one piece."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from ...observability.trace import CURRENT, HEADER

Headers = tuple[tuple[str, str], ...]

# No software versions, no sniffing (security G4).
ALWAYS: Headers = (("Server", "doit-mcp"), ("X-Content-Type-Options", "nosniff"))
# No cache may keep an answer.
JSON: Headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
# Longer bodies are not copied to stand behind their heads.
AT_ONCE = 64 << 10


class Whole(web.StreamResponse):
    """The answer to a request like nearly all: HTTP/1.1, on a connection that stays open, from no web page. For any
    other it is the response that aiohttp makes of the same body, which takes twice as long to send.
    """

    def __init__(self, status: int, body: bytes, headers: Headers = JSON) -> None:
        super().__init__(status=status)
        self._whole, self._own = body, headers
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
        trace, transport = CURRENT.get(), request.transport
        usual = request.keep_alive and self.keep_alive is None and len(self._whole) <= AT_ONCE and not self.headers
        if usual and trace is not None and transport is not None and not transport.is_closing():
            if request.version == HttpVersion11 and "Origin" not in request.headers:
                length = f"Content-Length: {len(self._whole)}\r\n{HEADER}: {trace.id}\r\n\r\n"
                start = _start(self.status, self.reason, self._own, int(time.time()))
                transport.write(start + length.encode() + self._whole)
                self._sent = True
                return None
        for name, value in self._own:
            self.headers.setdefault(name, value)
        self.content_length = len(self._whole)
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the rest."""
        if not self._sent:
            await super().write_eof(self._whole)


@lru_cache(maxsize=16)
def _start(status: int, reason: str, headers: Headers, second: int) -> bytes:
    """What the heads of all such answers of a second have in common."""
    fields = (*headers, *ALWAYS, ("Date", formatdate(second, usegmt=True)))
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields), ""]
    return "\r\n".join(lines).encode()
