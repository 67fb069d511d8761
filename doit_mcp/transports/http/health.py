"""Health endpoints for operators and orchestrators: liveness, readiness and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from ...observability.logging_setup import LOG_STREAMS
from ...resilience.circuit_breaker import CircuitBreaker
from . import app_keys

# The circuit breakers of upstream services.
CIRCUIT_BREAKERS: web.AppKey[Sequence[CircuitBreaker]] = web.AppKey("circuits")

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def get_liveness(request: web.Request) -> web.Response:
    """Return 200 as long as the process responds, regardless of upstream services."""
    return web.json_response({"status": "ok"})


async def get_readiness(request: web.Request) -> web.Response:
    """Return 200 if the identity provider's keys were fetched once and the server is not shutting down, otherwise 503.

    Open circuits are reported but do not change the status: other replicas would meet the same upstream. Neither do
    failing log streams: a log collector that fails for all replicas would take all of them out of service.
    """
    checks = {"accepting": not request.app[app_keys.DRAINING].is_set(), "keys": request.app[app_keys.IS_READY]()}
    is_ready = all(checks.values())
    circuits = {circuit.name: circuit.state for circuit in request.app[CIRCUIT_BREAKERS]}
    logs = {name: "failing" if stream.failing else "ok" for name, stream in LOG_STREAMS.items()}
    body = {"status": "ok" if is_ready else "unavailable", "checks": checks, "circuits": circuits, "logs": logs}
    return web.json_response(body, status=200 if is_ready else 503)


async def get_metrics(request: web.Request) -> web.Response:
    """Return the metrics in Prometheus text format. Expose this on the operator's network, not publicly."""
    return web.Response(
        body=request.app[app_keys.METRICS].prometheus_text(), headers={"Content-Type": METRICS_CONTENT_TYPE}
    )
