"""Discovery: protected resource metadata (RFC 9728), and the identity provider's metadata (RFC 8414)."""

from __future__ import annotations

from aiohttp import web

from ...auth.errors import AuthError
from ...auth.provider_metadata import METADATA_PATH
from ...auth.www_authenticate import METADATA_PATH_PREFIX, resource_metadata
from . import app_keys
from .access import auth_error_response, base_url, http_error_response, preflight_response
from .paths import RESOURCE_PATHS
from .request_spelling import client_path

PROVIDER_DOCUMENTS = (METADATA_PATH, "/.well-known/openid-configuration")


async def get_protected_resource(request: web.Request) -> web.Response:
    """Return the metadata of one endpoint or, for the bare well-known path, of the base URL.

    An endpoint that selects unknown tools does not exist. The resource is spelled as in the requested path, because clients compare it with the URL that they were given.
    """
    request.app[app_keys.CATALOG_SELECTOR].check_existence(request)
    path = _resource_path(client_path(request)) or _resource_path(request.rel_url.raw_path)
    settings = request.app[app_keys.SETTINGS]
    document = resource_metadata(
        base_url(request),
        path,
        settings.auth_server_url,
        offline_access=settings.advertise_offline_access,
    )
    return web.json_response(document, headers={"Cache-Control": "public, max-age=3600"})


def _resource_path(path: str) -> str:
    """Return the part of *path* that precedes or follows the well-known path, or ""."""
    lower = path.lower()
    if lower.startswith(METADATA_PATH_PREFIX):
        following = path[len(METADATA_PATH_PREFIX) :]
        return following if following.strip("/") else ""
    return path.rstrip("/")[: -len(METADATA_PATH_PREFIX)] if lower.rstrip("/").endswith(METADATA_PATH_PREFIX) else ""


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
    return preflight_response("GET, HEAD, OPTIONS")


def discovery_routes() -> list[web.RouteDef]:
    """Return the routes of all discovery paths."""
    get_routes = [web.get(METADATA_PATH, get_provider_metadata)]
    get_routes += [web.get(name, reject_provider_metadata) for name in _list_rejected_paths()]
    resources = (METADATA_PATH_PREFIX + path for path in ("", *RESOURCE_PATHS))
    for path in (*resources, *(path + METADATA_PATH_PREFIX for path in RESOURCE_PATHS)):
        get_routes.append(web.get(path, get_protected_resource))
    # Browsers send a preflight, because clients send the MCP-Protocol-Version header here as well.
    return get_routes + [web.options(route.path, handle_preflight) for route in get_routes]


def _list_rejected_paths() -> list[str]:
    return [
        path
        for name in PROVIDER_DOCUMENTS
        for path in (name, name + "/{path:(mcp|sse)(/.*)?}", "/{path:(mcp|sse)(/.*)?}" + name)
        if path != METADATA_PATH
    ]
