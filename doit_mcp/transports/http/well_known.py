"""Discovery documents (RFC 9728) and what clients of an early revision look for here (RFC 8414)."""

from __future__ import annotations

from aiohttp import web

from ...auth.www_authenticate import METADATA_PATH_PREFIX, resource_metadata
from . import app_keys
from .access import http_error_response, preflight_response

ENDPOINT_PATHS = ("/mcp", "/sse")
PROVIDER_DOCUMENTS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def is_endpoint(path: str) -> bool:
    """Whether MCP is served at *path*, which may select tools."""
    return path in ENDPOINT_PATHS or path.startswith("/mcp/")


async def get_protected_resource(request: web.Request) -> web.Response:
    """The document of one endpoint: in the inserted form, or appended to the endpoint; the base's in the root form."""
    path = "/" + request.match_info["path"].strip("/")
    if path == "/":
        path = ""
    elif not is_endpoint(path):
        return http_error_response(404, "not_found", "There is no such resource here")
    settings = request.app[app_keys.SETTINGS]
    document = resource_metadata(
        settings.resource_url, path, settings.auth_server_url, offline_access=settings.advertise_offline_access
    )
    return web.json_response(document, headers={"Cache-Control": "public, max-age=3600"})


async def reject_provider_metadata(request: web.Request) -> web.Response:
    """This is no authorization server; JSON says so, because clients parse whatever comes."""
    text = f"This server is no authorization server; see {METADATA_PATH_PREFIX} for the one to use"
    return http_error_response(404, "not_found", text)


async def handle_preflight(request: web.Request) -> web.Response:
    """The answer to a preflight."""
    return preflight_response("GET, OPTIONS")


def routes() -> list[web.RouteDef]:
    """All of them."""
    found = [web.get(name, reject_provider_metadata, allow_head=False) for name in _provider_paths()]
    for pattern in (METADATA_PATH_PREFIX + "{path:(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + METADATA_PATH_PREFIX):
        found.append(web.get(pattern, get_protected_resource, allow_head=False))
    # Browsers ask first, because clients name their protocol revision here as well.
    return found + [web.options(route.path, handle_preflight) for route in found]


def _provider_paths() -> list[str]:
    return [
        form
        for name in PROVIDER_DOCUMENTS
        for form in (name, name + "/{path:(mcp|sse)(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + name)
    ]
