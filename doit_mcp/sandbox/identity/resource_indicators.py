"""Resource indicators: the MCP server and its endpoints (RFC 8707)."""

from __future__ import annotations

import re

from .responses import OAuthError


class ResourceIndicators:
    """The valid resource indicators of the MCP server at *base* (its public URL)."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        base_pattern = re.escape(self.base)
        # Toolset selections are paths below /mcp; their segments are names and lists of names, never dots alone.
        mcp_paths = r"/mcp(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~,%:+-]+)*/?"
        self._pattern = re.compile(f"{base_pattern}(?:/|/sse|{mcp_paths})?")

    def check(self, resource: str | None) -> str | None:
        """*resource* if it is valid, None if it is missing; raises OAuthError (invalid_target)."""
        if resource is not None and not self._pattern.fullmatch(resource):
            raise OAuthError("invalid_target", "This server does not issue tokens for this resource.")
        return resource

    def resolve_audience(self, granted: str | None, requested: str | None) -> str:
        """The audience of a token: the granted resource, else the requested one, else the base. Raises OAuthError."""
        self.check(requested)
        if granted is not None and requested is not None and granted.rstrip("/") != requested.rstrip("/"):
            raise OAuthError("invalid_target", "Access was granted for another resource.")
        return granted or requested or self.base
