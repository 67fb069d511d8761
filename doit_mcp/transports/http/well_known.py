"""Discovery documents (RFC 9728) and what clients of an early revision look for here (RFC 8414)."""

from __future__ import annotations

from aiohttp import web

from ...auth.www_authenticate import WELL_KNOWN, metadata
from . import app_keys
from .access import preflight, refusal

ENDPOINTS = ("/mcp", "/sse")
PROVIDER_DOCUMENTS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def is_endpoint(path: str) -> bool:
    """Whether MCP is served at *path*, which may select tools."""
    return path in ENDPOINTS or path.startswith("/mcp/")


async def protected_resource(request: web.Request) -> web.Response:
    """The document of one endpoint: in the inserted form, or appended to the endpoint; the base's in the root form."""
    path = "/" + request.match_info["path"].strip("/")
    if path == "/":
        path = ""
    elif not is_endpoint(path):
        return refusal(404, "not_found", "There is no such resource here")
    settings = request.app[app_keys.SETTINGS]
    document = metadata(
        settings.resource_url, path, settings.auth_server_url, offline_access=settings.advertise_offline_access
    )
    return web.json_response(document, headers={"Cache-Control": "public, max-age=3600"})


async def no_provider(request: web.Request) -> web.Response:
    """This is no authorization server; JSON says so, because clients parse whatever comes."""
    text = f"This server is no authorization server; see {WELL_KNOWN} for the one to use"
    return refusal(404, "not_found", text)


async def may_ask(request: web.Request) -> web.Response:
    """The answer to a preflight."""
    return preflight("GET, OPTIONS")


def routes() -> list[web.RouteDef]:
    """All of them."""
    found = [web.get(name, no_provider, allow_head=False) for name in _provider_paths()]
    for pattern in (WELL_KNOWN + "{path:(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + WELL_KNOWN):
        found.append(web.get(pattern, protected_resource, allow_head=False))
    # Browsers ask first, because clients name their protocol revision here as well.
    return found + [web.options(route.path, may_ask) for route in found]


def _provider_paths() -> list[str]:
    return [
        form
        for name in PROVIDER_DOCUMENTS
        for form in (name, name + "/{path:(mcp|sse)(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + name)
    ]
