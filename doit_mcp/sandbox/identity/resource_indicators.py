"""Resource indicators: the MCP server and its endpoints (RFC 8707)."""

from __future__ import annotations

from ...protocol.endpoint_urls import canonical_path, is_endpoint
from .responses import OAuthError


class ResourceIndicators:
    """The valid resource indicators of the MCP server at *base* (its public URL)."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def check(self, resource: str | None) -> str | None:
        """*resource* if it is valid, None if it is missing; raises OAuthError (invalid_target)."""
        if resource is not None and self._canonical_target(resource) is None:
            raise OAuthError("invalid_target", "This server does not issue tokens for this resource.")
        return resource

    def resolve_audience(self, granted: str | None, requested: str | None) -> str:
        """The audience of a token: the granted resource, else the requested one, else the base. Raises OAuthError."""
        self.check(requested)
        if granted is not None and requested is not None:
            if self._canonical_target(granted) != self._canonical_target(requested):
                raise OAuthError("invalid_target", "Access was granted for another resource.")
        return granted or requested or self.base

    def _canonical_target(self, resource: str) -> str | None:
        """The path and query of *resource* in their canonical spelling; None if it is not a resource of the server."""
        if not resource.startswith(self.base):
            return None
        target = resource[len(self.base) :]
        if target in ("", "/"):
            return ""
        if not (target.startswith("/") and is_endpoint(target)):
            return None
        path, separator, query = target.partition("?")
        return canonical_path(path) + separator + query
