"""Owns the resources that tokens can be for: the MCP server and its endpoints (RFC 8707)."""

from __future__ import annotations

import re

from .responses import OAuthError


class ResourceIndicators:
    """Resource indicators of the MCP server at *base* (its public URL)."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        exact = re.escape(self.base)
        # Selections of tools live below /mcp; their segments are names and lists of names, never dots alone.
        below = r"/mcp(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~,%:+-]+)*/?"
        self._known = re.compile(f"{exact}(?:/|/sse|{below})?")

    def check(self, resource: str | None) -> str | None:
        """The resource as it was named, None where none was; raises OAuthError (invalid_target)."""
        if resource is not None and not self._known.fullmatch(resource):
            raise OAuthError("invalid_target", "The resource is not one that this server gives tokens for.")
        return resource

    def resolve_audience(self, granted: str | None, requested: str | None) -> str:
        """The audience of a token: what was granted, or what is asked now where the grant is for any; else the base."""
        self.check(requested)
        if granted is not None and requested is not None and granted.rstrip("/") != requested.rstrip("/"):
            raise OAuthError("invalid_target", "Access was allowed for another resource.")
        return granted or requested or self.base
