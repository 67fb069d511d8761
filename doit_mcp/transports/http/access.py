"""Access control: Host and Origin checks, bearer tokens, CORS, and authentication challenges."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import HttpVersion11, web

from ...auth.errors import REQUIRED_SCOPE, SIGN_IN_MESSAGE, AuthError, invalid_token_error
from ...auth.principal import Principal
from ...auth.www_authenticate import www_authenticate_value
from ...observability.trace import CURRENT_TRACE, TRACE_ID_HEADER
from ...protocol.endpoint_urls import CHECK_PATH, MCP_PATH, MESSAGES_PATH, SSE_PATH
from ...protocol.jsonrpc import error_bytes
from ...resilience.limits import LimitExceeded
from ...server.dispatcher import internal_error
from . import app_keys
from .buffered_response import COMMON_HEADERS, make_response
from .client_address import client_address
from .public_paths import is_public
from .request_body import EXPECT_CONTINUE, RequestRejected, limit_rejection, rpc_error_response
from .request_spelling import client_path

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Endpoint = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]

ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, Cache-Control, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID,"
    " X-MCP-Trace-Id, Mcp-Method, Mcp-Name, X-MCP-Toolsets, X-MCP-Readonly, traceparent, tracestate"
)
# Probes and scrapers send the address of a pod or load balancer as Host.
PROBE_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
NO_VALUES: list[str] = []


def http_error_response(status: int, error: str, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON error of the HTTP layer, outside JSON-RPC."""
    return web.json_response({"error": error, "error_description": text}, status=status, headers=headers)


def check_host_and_origin(request: web.Request, hosts: frozenset[str], origins: frozenset[str]) -> web.Response | None:
    """Return an error response if the Host is not in *hosts* or the Origin not in *origins*, otherwise None."""
    headers = request.headers
    host_values = headers.getall("Host", NO_VALUES)
    if (len(host_values) != 1 or host_values[0].lower() not in hosts) and request.path not in PROBE_PATHS:
        return http_error_response(421, "misdirected_request", "The Host header does not match this server")
    if not request.raw_path.startswith("/") and not _is_own_target(request, hosts):
        return http_error_response(
            421, "misdirected_request", "The host in the request target does not match this server"
        )
    if "Origin" in headers:
        origin_values = headers.getall("Origin")
        if (len(origin_values) > 1 or origin_values[0] not in origins) and not is_public(request.path):
            return http_error_response(403, "forbidden_origin", "Requests from this origin are not allowed")
    return None


def _is_own_target(request: web.Request, hosts: frozenset[str]) -> bool:
    """Return whether a target that is not just a path, such as ``http://host/path``, names one of *hosts*.

    Such a target takes precedence over the Host header (RFC 9112, 3.2.2).
    """
    if request.raw_path == "*":
        return True
    scheme, separator, authority_and_path = request.raw_path.partition("://")
    if request.method == "CONNECT" or not separator or scheme.lower() not in ("http", "https"):
        return False
    return re.split(r"[/?#]", authority_and_path, maxsplit=1)[0].lower() in hosts


async def check_expect(request: web.Request) -> None:
    """Check the Expect header. "100 Continue" is sent when the body is read, after the bearer token was accepted."""
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() != EXPECT_CONTINUE:
        raise web.HTTPExpectationFailed


def error_response(request: web.Request, failure: Exception) -> web.StreamResponse:
    """Return the response to a request that raised *failure*."""
    match failure:
        case RequestRejected():
            return rpc_error_response(failure.status, str(failure), failure.headers, request.get(app_keys.REQUEST_ID))
        case web.HTTPException():
            headers = {"Allow": failure.headers["Allow"]} if "Allow" in failure.headers else None
            return http_error_response(
                failure.status, failure.reason.lower().replace(" ", "_"), failure.reason, headers
            )
    log.error("a request failed", exc_info=failure)
    return make_response(500, error_bytes(internal_error(), request.get(app_keys.REQUEST_ID)))


async def add_common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers of every response: no software versions, no sniffing, and CORS for allowed origins."""
    response.headers.update(COMMON_HEADERS)
    if (trace := CURRENT_TRACE.get()) is not None:
        response.headers[TRACE_ID_HEADER] = trace.id
    if is_public(request.path):
        response.headers["Access-Control-Allow-Origin"] = "*"
        return
    origin = request.headers.get("Origin")
    if origin is None:
        return
    response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "Origin")))
    if origin in request.app[app_keys.ALLOWED_ORIGINS]:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = (
            f"Mcp-Session-Id, WWW-Authenticate, Retry-After, {TRACE_ID_HEADER}"
        )


def preflight_response(methods: str) -> web.Response:
    """Return the response to a CORS preflight (Fetch, CORS-preflight request)."""
    return web.Response(
        status=204,
        headers={
            "Allow": methods,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": "86400",
        },
    )


def make_endpoint(app: web.Application, methods: Mapping[str, Endpoint]) -> Handler:
    """Return the handler of an MCP path.

    The token is checked before the method, so that every client learns where to sign in. Only URLs that select unknown
    tools get no challenge: signing in would not help.
    """
    allowed_methods = ", ".join((*methods, "OPTIONS"))
    select_catalog, draining = app[app_keys.CATALOG_SELECTOR], app[app_keys.DRAINING]

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return preflight_response(allowed_methods)
        authenticator = app[app_keys.AUTHENTICATOR]
        values = request.headers.getall("Authorization", NO_VALUES)
        # A token that was verified before costs only a hash and a lookup.
        principal = authenticator.cached_principal(values[0]) if len(values) == 1 else None
        if principal is None:
            try:
                principal = await authenticate(request, authenticator)
            except AuthError as error:
                if error.status == 401:
                    select_catalog.check_existence(request)
                return auth_error_response(request, error)
        if (trace := CURRENT_TRACE.get()) is not None:
            trace.owner, trace.customer = principal.owner, principal.tenant
        serve = methods.get(request.method)
        if serve is None:
            return rpc_error_response(405, "Method not allowed", {"Allow": allowed_methods})
        if draining.is_set():
            return rpc_error_response(503, "The server is shutting down; try again", {"Retry-After": "2"})
        try:
            request[app_keys.CATALOG] = select_catalog(request, principal)
            return await serve(request, principal)
        except LimitExceeded as exceeded:
            return error_response(request, limit_rejection(exceeded))

    return handle


async def authenticate(request: web.Request, authenticator: app_keys.CallerAuthenticator) -> Principal:
    """Return the verified principal. Raise AuthError."""
    values = request.headers.getall("Authorization", NO_VALUES)
    forwarded = request.headers.getall("X-Forwarded-For", [])
    address = client_address(request.remote, forwarded, request.app[app_keys.SETTINGS].trusted_proxies)
    return await authenticator.authenticate(values, address)


def auth_error_response(request: web.Request, error: AuthError) -> web.Response:
    """Return the response for *error*. Its challenge names the metadata of the requested path (RFC 9728, 5.1)."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status in (400, 401, 403):
        headers["WWW-Authenticate"] = _www_authenticate(request, error)
    return http_error_response(error.status, error.error, error.description, headers)


def base_url(request: web.Request) -> str:
    """Return the base URL of this server with the host that the client uses.

    Clients compare URLs with the one they were given, and on loopback several names are in use. The URL is one of the
    configured ones; nothing of it is copied from the request.
    """
    return request.app[app_keys.BASE_URL_BY_HOST].get(request.host.lower(), request.app[app_keys.SETTINGS].resource_url)


def resource_path(request: web.Request) -> str:
    """Return the path of the resource that *request* accesses, as the client spelled it.

    Clients request tokens for the URL that users configure, not for the message URL that they receive later or for the
    page that checks their access.
    """
    resource = {MESSAGES_PATH: SSE_PATH, CHECK_PATH: MCP_PATH}.get(request.path)
    return resource or client_path(request)


def sign_in_challenge(request: web.Request) -> str:
    """Return the challenge for a caller whose sign-in ended during *request*."""
    return _www_authenticate(request, invalid_token_error(SIGN_IN_MESSAGE))


def _www_authenticate(request: web.Request, error: AuthError) -> str:
    settings = request.app[app_keys.SETTINGS]
    return www_authenticate_value(
        base_url(request),
        resource_path(request),
        error=error.error,
        description=error.description,
        scope=error.scope or REQUIRED_SCOPE,
        offline_access=settings.advertise_offline_access,
    )
