"""One log line and one count for every HTTP request, the refused ones included; a trace id that comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from ..trace import begin
from . import keys

if TYPE_CHECKING:
    from ..spans import Spans

# There only where spans are exported.
SPANS: web.AppKey[Spans] = web.AppKey("spans")

log = logging.getLogger("doit_mcp.requests")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
# Nothing was answered because nobody waited any more; nginx's number for it.
CLIENT_LEFT = 499


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Begin the request's trace, and say what became of it."""
    started = time.perf_counter()
    request[keys.TRACE] = trace = begin(request.headers)
    spans = request.app.get(SPANS)
    span = None if spans is None else spans.begin(trace)
    status = CLIENT_LEFT
    try:
        response = await handler(request)
        status = response.status
        return response
    except asyncio.CancelledError:
        raise
    finally:
        method, route = _method(request), _route(request)
        if spans is not None and span is not None:
            spans.end(span, trace, method, route, status)
        request.app[keys.METRICS].request(method, route, status)
        if trace.method:
            request.app[keys.METRICS].message(trace.method)
        if log.isEnabledFor(logging.INFO):
            ms = round((time.perf_counter() - started) * 1000, 2)
            extra = {"method": method, "route": route, "status": status, "ms": ms, **trace.facts}
            log.info("request", extra=extra)


def unread(status: int) -> str:
    """The trace id of a request that could not be read as HTTP, whose log line is written: of what it said there is
    nothing to tell."""
    trace = begin({})
    log.info("request", extra={"method": "other", "route": "other", "status": status, "ms": 0.0, **trace.facts})
    return trace.id


def _method(request: web.Request) -> str:
    return request.method if request.method in METHODS else "other"


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"
