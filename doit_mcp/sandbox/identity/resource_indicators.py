"""Resource indicators: the MCP server and its endpoints (RFC 8707)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...protocol.endpoint_urls import canonical_path, is_endpoint
from .responses import OAuthError

REFUSED = "This server does not issue tokens for this resource."
VALID_RESOURCES = (
    "Resources are the base URL of the MCP server, its endpoints, and endpoints with the query parameters toolsets, tools"
    " and readonly."
)


class ResourceIndicators:
    """The valid resource indicators of the MCP server at *bases*, which are its public URL and other spellings of it.

    `find_problem` returns why an endpoint, given as path and query, does not exist, or "" if it exists. It can be
    replaced; the default accepts everything that has the form of an endpoint.
    """

    def __init__(self, bases: Sequence[str]) -> None:
        self._bases = [base.rstrip("/") for base in bases]
        self.base = self._bases[0]
        self.find_problem: Callable[[str], str] = lambda target: ""

    def check(self, resource: str | None) -> str | None:
        """*resource* if it is valid, None if it is missing; raises OAuthError (invalid_target) with the reason."""
        if resource is None:
            return None
        target = self._canonical_target(resource)
        if target is None:
            raise OAuthError("invalid_target", f"{REFUSED} {VALID_RESOURCES}")
        if target and (problem := self.find_problem(target)):
            raise OAuthError("invalid_target", f"{REFUSED} {problem}")
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
        base = next((base for base in self._bases if resource.startswith(base)), None)
        if base is None:
            return None
        target = resource[len(base) :]
        if target in ("", "/"):
            return ""
        if not (target.startswith("/") and is_endpoint(target)):
            return None
        path, separator, query = target.partition("?")
        return canonical_path(path) + separator + query
