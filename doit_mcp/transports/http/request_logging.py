"""Request logging: one log line, one metric count and a trace ID for every HTTP request, including rejected ones."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from ...observability.trace import begin_trace
from . import app_keys
from .access import check_host_and_origin, error_response
from .error_page import error_page, wants_page

if TYPE_CHECKING:
    from ...observability.opentelemetry import SpanRecorder

# Set only if spans are exported.
SPANS: web.AppKey[SpanRecorder] = web.AppKey("spans")

log = logging.getLogger("doit_mcp.requests")

KNOWN_METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
# nginx's status code for a client that closed the connection before the response.
CLIENT_CLOSED_REQUEST = 499


class RequestHandler:
    """Handles the requests to *app*: finds the route, and logs and counts the outcome. Lookups in *app* are done once.

    aiohttp's server calls :meth:`handle` instead of the application, which would run the same as a middleware, inside of
    two further coroutines for each request.
    """

    def __init__(self, app: web.Application) -> None:
        self._app, self._metrics, self._spans = app, app[app_keys.METRICS], app.get(SPANS)
        self._hosts, self._origins = app[app_keys.ALLOWED_HOSTS], app[app_keys.ALLOWED_ORIGINS]
        self._base = app[app_keys.SETTINGS].resource_url
        self._post_matches = _match_fixed_paths(app, "POST")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Start the request's trace, check Host and Origin, turn exceptions into responses, and log the outcome."""
        match = self._post_matches.get(request.rel_url.raw_path) if request.method == "POST" else None
        if match is not None and "Expect" not in request.headers:
            # Fast path for most requests.
            request._match_info = match
        else:
            match = await _find_route(self._app, request)
            if "Expect" in request.headers:
                await match.expect_handler(request)
        started = time.perf_counter()
        trace = begin_trace(request.headers)
        span = None if self._spans is None else self._spans.start_span(trace)
        status = CLIENT_CLOSED_REQUEST
        try:
            response: web.StreamResponse | None = check_host_and_origin(request, self._hosts, self._origins)
            if response is None:
                try:
                    response = await match.handler(request)
                except Exception as failure:
                    response = error_response(request, failure)
            if response.status >= 400 and not response.prepared and wants_page(request):
                response = error_page(request, response, self._base)
            status = response.status
            return response
        finally:
            method, route = request.method, _route_name(match)
            method = method if method in KNOWN_METHODS else "other"
            if self._spans is not None and span is not None:
                self._spans.end_span(span, trace, method, route, status)
            self._metrics.count_request(method, route, status, trace.method)
            if log.isEnabledFor(logging.INFO):
                ms = round((time.perf_counter() - started) * 1000, 2)
                extra = {"method": method, "route": route, "status": status, "ms": ms, **trace.log_fields}
                log.info("request", extra=extra)


def _match_fixed_paths(app: web.Application, method: str) -> dict[str, UrlMappingMatchInfo]:
    """Return the matches of *method* and the paths without parameters. Each is the same for all requests."""
    return {
        route.resource.canonical: _prepare_match(app, UrlMappingMatchInfo({}, route))
        for route in app.router.routes()
        if isinstance(route.resource, web.PlainResource) and route.method in (method, "*")
    }


async def _find_route(app: web.Application, request: web.Request) -> UrlMappingMatchInfo:
    match = request._match_info = _prepare_match(app, await app.router.resolve(request))
    return match


def _prepare_match(app: web.Application, match: UrlMappingMatchInfo) -> UrlMappingMatchInfo:
    match.add_app(app)
    match.freeze()
    return match


def _route_name(match: UrlMappingMatchInfo) -> str:
    resource = match.route.resource
    return resource.canonical if resource is not None else "other"


def log_unreadable_request(status: int) -> str:
    """Log a request that could not be parsed as HTTP, without its content. Return its trace ID."""
    trace = begin_trace({})
    log.info("request", extra={"method": "other", "route": "other", "status": status, "ms": 0.0, **trace.log_fields})
    return trace.id
