"""Discovery: protected resource metadata (RFC 9728), and the identity provider's metadata (RFC 8414)."""

from __future__ import annotations

from aiohttp import web

from ...auth.errors import AuthError
from ...auth.provider_metadata import METADATA_PATH
from ...auth.www_authenticate import METADATA_PATH_PREFIX, resource_metadata
from . import app_keys
from .access import auth_error_response, http_error_response, preflight_response

ENDPOINT_PATHS = ("/mcp", "/sse")
PROVIDER_DOCUMENTS = (METADATA_PATH, "/.well-known/openid-configuration")


def is_endpoint(path: str) -> bool:
    """Return whether *path*, which may select tools, is an MCP endpoint."""
    return path in ENDPOINT_PATHS or path.startswith("/mcp/")


async def get_protected_resource(request: web.Request) -> web.Response:
    """Return the metadata of one endpoint or, for the bare well-known path, of the base URL.

    The well-known path may precede the endpoint's path or follow it.
    """
    path = "/" + request.match_info["path"].strip("/")
    if path == "/":
        path = ""
    elif not is_endpoint(path):
        return http_error_response(404, "not_found", "This resource does not exist")
    settings = request.app[app_keys.SETTINGS]
    document = resource_metadata(
        settings.resource_url, path, settings.auth_server_url, offline_access=settings.advertise_offline_access
    )
    return web.json_response(document, headers={"Cache-Control": "public, max-age=3600"})


async def get_provider_metadata(request: web.Request) -> web.StreamResponse:
    """Return the identity provider's metadata, for clients of 2025-03-26, which look for it here.

    Its issuer is the identity provider. Newer clients find the provider in the protected resource metadata.
    """
    try:
        body = await request.app[app_keys.PROVIDER_METADATA].get()
    except AuthError as error:
        return auth_error_response(request, error)
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})


async def reject_provider_metadata(request: web.Request) -> web.Response:
    """Return 404, because this server is not an authorization server. Clients that get
    it try the root next.

    The error is JSON, because clients parse the body regardless of the status.
    """
    text = f"This server is not an authorization server; see {METADATA_PATH_PREFIX} for the one to use"
    return http_error_response(404, "not_found", text)


async def handle_preflight(request: web.Request) -> web.Response:
    """Return the response to a CORS preflight."""
    return preflight_response("GET, OPTIONS")


def routes() -> list[web.RouteDef]:
    """Return the routes of all discovery paths."""
    get_routes = [web.get(METADATA_PATH, get_provider_metadata, allow_head=False)]
    get_routes += [web.get(name, reject_provider_metadata, allow_head=False) for name in _rejected_paths()]
    for pattern in (METADATA_PATH_PREFIX + "{path:(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + METADATA_PATH_PREFIX):
        get_routes.append(web.get(pattern, get_protected_resource, allow_head=False))
    # Browsers send a preflight, because clients send the MCP-Protocol-Version header here as well.
    return get_routes + [web.options(route.path, handle_preflight) for route in get_routes]


def _rejected_paths() -> list[str]:
    return [
        path
        for name in PROVIDER_DOCUMENTS
        for path in (name, name + "/{path:(mcp|sse)(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + name)
        if path != METADATA_PATH
    ]
