"""What operators and orchestrators ask: is it alive, can it take work, what has it done."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from ...observability.logging_setup import LOG_STREAMS
from ...resilience.circuit_breaker import CircuitBreaker
from . import app_keys

# The circuits to what is outside.
CIRCUIT_BREAKERS: web.AppKey[Sequence[CircuitBreaker]] = web.AppKey("circuits")

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def get_liveness(request: web.Request) -> web.Response:
    """The process answers; nothing outside matters."""
    return web.json_response({"status": "ok"})


async def get_readiness(request: web.Request) -> web.Response:
    """New work is welcome: the identity provider's keys were had once, and the server is not shutting down.

    Open circuits are shown and change nothing: the next replica would meet the same upstream. Nor do
    failing log streams: a collector that fails for all replicas would take all of them out of service.
    """
    checks = {"accepting": not request.app[app_keys.DRAINING].is_set(), "keys": request.app[app_keys.IS_READY]()}
    good = all(checks.values())
    circuits = {circuit.name: circuit.state for circuit in request.app[CIRCUIT_BREAKERS]}
    logs = {name: "failing" if stream.failing else "ok" for name, stream in LOG_STREAMS.items()}
    body = {"status": "ok" if good else "unavailable", "checks": checks, "circuits": circuits, "logs": logs}
    return web.json_response(body, status=200 if good else 503)


async def get_metrics(request: web.Request) -> web.Response:
    """The numbers in Prometheus text form; for the operator's network, not for the public route."""
    return web.Response(
        body=request.app[app_keys.METRICS].prometheus_text(), headers={"Content-Type": METRICS_CONTENT_TYPE}
    )
