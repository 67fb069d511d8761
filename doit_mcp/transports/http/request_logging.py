"""One log line and one count for every HTTP request, the refused ones included; a trace id that comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Middleware

from ...observability.trace import begin
from . import app_keys
from .access import foreign, told

if TYPE_CHECKING:
    from ...observability.opentelemetry import Spans

# There only where spans are exported.
SPANS: web.AppKey[Spans] = web.AppKey("spans")

log = logging.getLogger("doit_mcp.requests")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
# Nothing was answered because nobody waited any more; nginx's number for it.
CLIENT_LEFT = 499


def observing(app: web.Application) -> Middleware:
    """What surrounds every handler of *app*. What it needs of it is taken once, since every request needs it."""
    metrics, hosts, origins = app[app_keys.METRICS], app[app_keys.HOSTS], app[app_keys.ORIGINS]

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Begin the request's trace, let in who may come, turn what was raised into an answer, and say what became of
        it."""
        started = time.perf_counter()
        trace = begin(request.headers)
        spans = app.get(SPANS)
        span = None if spans is None else spans.begin(trace)
        status = CLIENT_LEFT
        try:
            response: web.StreamResponse | None = foreign(request, hosts, origins)
            if response is None:
                try:
                    response = await handler(request)
                except Exception as failure:
                    response = told(request, failure)
            status = response.status
            return response
        finally:
            method, route = request.method, _route(request)
            method = method if method in METHODS else "other"
            if spans is not None and span is not None:
                spans.end(span, trace, method, route, status)
            metrics.request(method, route, status)
            if trace.method:
                metrics.message(trace.method)
            if log.isEnabledFor(logging.INFO):
                ms = round((time.perf_counter() - started) * 1000, 2)
                extra = {"method": method, "route": route, "status": status, "ms": ms, **trace.facts}
                log.info("request", extra=extra)

    return observe


def unread(status: int) -> str:
    """The trace id of a request that could not be read as HTTP, whose log line is written: of what it said there is
    nothing to tell."""
    trace = begin({})
    log.info("request", extra={"method": "other", "route": "other", "status": status, "ms": 0.0, **trace.facts})
    return trace.id


def _route(request: web.Request) -> str:
    # That of nearly all requests.
    if request.raw_path == "/mcp":
        return "/mcp"
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"
