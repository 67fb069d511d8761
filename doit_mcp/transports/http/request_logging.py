"""One log line and one count for every HTTP request, the refused ones included; a trace id that comes back."""

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

if TYPE_CHECKING:
    from ...observability.opentelemetry import SpanRecorder

# There only where spans are exported.
SPANS: web.AppKey[SpanRecorder] = web.AppKey("spans")

log = logging.getLogger("doit_mcp.requests")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KNOWN_METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
# Nothing was answered because nobody waited any more; nginx's number for it.
CLIENT_CLOSED_REQUEST = 499


def request_logging_middleware(app: web.Application) -> Middleware:
    """What surrounds every handler of *app*. What it needs of it is taken once, since every request needs it."""
    metrics, hosts, origins = app[app_keys.METRICS], app[app_keys.ALLOWED_HOSTS], app[app_keys.ALLOWED_ORIGINS]

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Begin the request's trace, let in who may come, turn what was raised into an answer, and say what became of
        it."""
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
    """The trace id of a request that could not be read as HTTP, whose log line is written: of what it said there is
    nothing to tell."""
    trace = begin_trace({})
    log.info("request", extra={"method": "other", "route": "other", "status": status, "ms": 0.0, **trace.log_fields})
    return trace.id


def _route_name(request: web.Request) -> str:
    # That of nearly all requests.
    if request.raw_path == "/mcp":
        return "/mcp"
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"
