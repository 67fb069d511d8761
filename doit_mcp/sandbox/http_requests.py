"""HTTP requests to the sandbox: bearer token, tenant, and the connection of the client."""

from __future__ import annotations

from ipaddress import ip_address

from aiohttp import web


def bearer_token(request: web.Request) -> str:
    """The bearer token of the Authorization header, or ""."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def requested_tenant(request: web.Request) -> str:
    """The tenant of the request: the header, else the legacy query parameter, else ""."""
    return request.headers.get("X-Tenant-Id", "") or request.query.get("customerContext", "")


def is_loopback(host: str | None) -> bool:
    """Whether *host*, a name or an address, is this machine."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_disconnected(request: web.Request) -> bool:
    """Whether the client has closed the connection."""
    return request.transport is None or request.transport.is_closing()


def abort(request: web.Request) -> None:
    """Close the connection without sending buffered data."""
    if request.transport is not None:
        request.transport.abort()
