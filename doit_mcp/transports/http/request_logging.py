"""Request logging: one log line, one metric count and a trace ID for every HTTP request, including rejected ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Middleware

from ...observability.trace import begin_trace
from . import app_keys
from .access import check_host_and_origin, error_response
from .error_page import error_page, wants_page

if TYPE_CHECKING:
    from ...observability.opentelemetry import SpanRecorder

# Set only if spans are exported.
SPANS: web.AppKey[SpanRecorder] = web.AppKey("spans")

log = logging.getLogger("doit_mcp.requests")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KNOWN_METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
# nginx's status code for a client that closed the connection before the response.
CLIENT_CLOSED_REQUEST = 499


def request_logging_middleware(app: web.Application) -> Middleware:
    """Return the middleware that logs and counts requests to *app*. Lookups in *app* are done once."""
    metrics, hosts, origins = app[app_keys.METRICS], app[app_keys.ALLOWED_HOSTS], app[app_keys.ALLOWED_ORIGINS]
    base = app[app_keys.SETTINGS].resource_url

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Start the request's trace, check Host and Origin, turn exceptions into responses, and log the outcome."""
        started = time.perf_counter()
        trace = begin_trace(request.headers)
        spans = app.get(SPANS)
        span = None if spans is None else spans.start_span(trace)
        status = CLIENT_CLOSED_REQUEST
        try:
            response: web.StreamResponse | None = check_host_and_origin(request, hosts, origins)
            if response is None:
                try:
                    response = await handler(request)
                except Exception as failure:
                    response = error_response(request, failure)
            if response.status >= 400 and not response.prepared and wants_page(request):
                response = error_page(request, response, base)
            status = response.status
            return response
        finally:
            method, route = request.method, _route_name(request)
            method = method if method in KNOWN_METHODS else "other"
            if spans is not None and span is not None:
                spans.end_span(span, trace, method, route, status)
            metrics.count_request(method, route, status)
            if trace.method:
                metrics.count_message(trace.method)
            if log.isEnabledFor(logging.INFO):
                ms = round((time.perf_counter() - started) * 1000, 2)
                extra = {"method": method, "route": route, "status": status, "ms": ms, **trace.log_fields}
                log.info("request", extra=extra)

    return observe


def log_unreadable_request(status: int) -> str:
    """Log a request that could not be parsed as HTTP, without its content. Return its trace ID."""
    trace = begin_trace({})
    log.info("request", extra={"method": "other", "route": "other", "status": status, "ms": 0.0, **trace.log_fields})
    return trace.id


def _route_name(request: web.Request) -> str:
    # Fast path for most requests.
    if request.raw_path == "/mcp":
        return "/mcp"
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"
