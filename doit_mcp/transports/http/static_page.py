"""Static pages, rendered once: compressed for clients that accept gzip, and revalidated with an entity tag."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping

from aiohttp import web


class StaticPage:
    """A page with *headers*, which include its Content-Type. It is compressed once, when it is made."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self._body, self._compressed = body, gzip.compress(body, mtime=0)
        # Each encoding needs its own tag (RFC 9110, 8.8.3).
        self._tag = hashlib.sha256(body).hexdigest()[:32]
        self._headers = {**headers, "Vary": "Accept-Encoding"}

    async def respond(self, request: web.Request) -> web.Response:
        """Return the page, or 304 if the client has it."""
        compressed = _accepts_gzip(request.headers.get("Accept-Encoding", ""))
        tag = f"{self._tag}-gzip" if compressed else self._tag
        headers = {**self._headers, "ETag": f'"{tag}"'}
        known = request.if_none_match
        # Weak comparison (RFC 9110, 13.1.2), because proxies that compress make tags weak.
        if known is not None and any(item.value in (tag, "*") for item in known):
            del headers["Content-Type"]
            return web.Response(status=304, headers=headers)
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=self._compressed if compressed else self._body, headers=headers)


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a client accepts gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("*", False))
