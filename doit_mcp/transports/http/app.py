"""The application: every part is made and wired here, and nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from aiohttp import web

from ...api.http import Upstream, open_session
from ...auth.authentication import Auth, open_auth
from ...auth.ended_logins import Ended
from ...observability.logging_setup import STREAMS
from ...observability.metrics import Metrics
from ...resilience.circuit_breaker import Breaker
from ...resilience.concurrency import Slots
from ...server.credential_expiry import Leases
from ...server.notification_hub import Hub
from ...server.request_context import Shared
from ...server.request_runner import Work
from ...server.signed_state import Seals
from ...settings import BadSettings, Settings
from . import app_keys, health, well_known
from .access import Endpoint, endpoint, expect, finish_headers
from .api_access import connector
from .body_memory import Bodies
from .catalog_selection import Make, Offers
from .connection_limits import Edge
from .event_loop_lag import watching
from .keepalive import Ticker
from .legacy_sse import MESSAGES, Legacy
from .request_logging import SPANS, observing
from .state_backends import Redis, available, parts, share_ended, share_renewals
from .streamable_http import Streamable

TOOLSETS = r"{toolsets:[A-Za-z0-9_,%-]{1,500}}"
MCP_PATHS = ("/mcp", "/mcp/readonly", f"/mcp/x/{TOOLSETS}", f"/mcp/x/{TOOLSETS}/readonly")


Outside = Callable[[web.Application], AsyncIterator[None]]


def build(
    settings: Settings, make_offer: Make, outside: Outside | None = None, hub: Hub | None = None
) -> web.Application:
    """The server for *settings*; *make_offer* says what is offered for a selection.

    *outside* connects the application with the world (who may call, how the DoiT API is reached) while it runs;
    changes that are published on *hub* reach those who listen.
    """
    app = web.Application(client_max_size=settings.max_body)
    app[app_keys.SETTINGS] = settings
    app[app_keys.HOSTS], app[app_keys.ORIGINS] = settings.hosts, settings.origins
    slots = Slots(per_owner=settings.calls_per_principal, total=settings.calls_total)
    hub = Hub() if hub is None else hub
    state = parts(settings, hub, slots)
    app[app_keys.WORK], app[app_keys.TRIES] = Work(slots, state.limits.admission), state.limits.tries
    app[app_keys.PROVEN] = state.limits.proven
    app[app_keys.STREAMS], app[app_keys.REPLAYS], app[app_keys.SESSIONS] = state.streams, state.replays, state.sessions
    app[app_keys.LEASES] = leases = Leases()
    app[app_keys.ENDED] = ended = Ended(time.time, leases.end)
    if state.redis is not None:
        share_ended(ended, state.redis.bus)
        share_renewals(leases, state.redis.bus)
    app[app_keys.TICKER] = Ticker(settings.keep_alive_s)
    app[health.CIRCUITS] = (Breaker("api"), Breaker("identity", single=True), Breaker("console", single=True))
    app[app_keys.METRICS] = metrics = _metrics(app, state.redis)
    app[app_keys.BODIES] = Bodies(settings.max_body)
    app[app_keys.EDGE] = Edge(metrics, settings.keep_alive_timeout_s)
    app[app_keys.SHARED] = Shared(
        hub,
        Seals.derived(*settings.state_keys),
        state.tasks,
        settings.console_base,
        state.results,
        tool_called=metrics.tool_call,
        receipts=state.receipts,
        audit_required=settings.audit_required,
        consents=state.consents,
    )
    app[app_keys.OFFERS] = Offers(make_offer)
    app[app_keys.DRAINING] = asyncio.Event()
    app.on_response_prepare.append(finish_headers)
    app.cleanup_ctx.append(watching(metrics.loop_delay.observe))
    app.cleanup_ctx.append(outside or identity_and_api)
    if state.redis is not None:
        app.cleanup_ctx.append(_among_replicas(state.redis))
    app.on_shutdown.append(_drain)
    if settings.otlp_endpoint:
        _export_spans(app)
    app.middlewares.append(observing(app))
    _route(app, (lambda serve: serve) if state.redis is None else available)
    return app


def _metrics(app: web.Application, redis: Redis | None) -> Metrics:
    shared = {} if redis is None else redis.gauges()
    return Metrics(
        {
            "sessions": ("Sessions of the handshake era", lambda: len(app[app_keys.SESSIONS])),
            "body_bytes": ("Bytes of the request bodies in progress", lambda: app[app_keys.BODIES].bytes),
            "connections": ("Open connections of clients", lambda: app[app_keys.EDGE].open),
            "streams": ("Open event streams", lambda: app[app_keys.STREAMS].open),
            "calls_in_flight": ("Requests that are being answered", lambda: app[app_keys.WORK].slots.in_use),
            "tasks": ("Tasks that are kept", lambda: len(app[app_keys.SHARED].tasks)),
            "listeners": ("Who waits for changes", lambda: len(app[app_keys.SHARED].hub)),
            **shared,
        },
        {circuit.name: partial(getattr, circuit, "state") for circuit in app[health.CIRCUITS]},
        STREAMS,
    )


def _export_spans(app: web.Application) -> None:
    try:
        from ...observability.opentelemetry import open_spans
    except ImportError:
        need = "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra otel: pip install 'doit-mcp[otel]'"
        raise BadSettings([need]) from None
    app[SPANS] = spans = open_spans(app[app_keys.SETTINGS].otlp_endpoint)

    async def close(app: web.Application) -> None:
        await spans.close()

    app.on_cleanup.append(close)


def _among_replicas(redis: Redis) -> Outside:
    async def running(app: web.Application) -> AsyncIterator[None]:
        async with redis.running():
            yield

    return running


def _route(app: web.Application, serving: Callable[[Endpoint], Endpoint]) -> None:
    streamable, legacy = Streamable(app), Legacy(app)
    post, delete = serving(streamable.post), serving(streamable.delete)
    mcp = endpoint(app, {"POST": post, "GET": serving(streamable.get), "DELETE": delete})
    for path in MCP_PATHS:
        app.router.add_route("*", path, mcp, expect_handler=expect)
    # Some connectors post to the very address they were given, old transport or new.
    sse = endpoint(app, {"GET": serving(legacy.get), "POST": post, "DELETE": delete})
    app.router.add_route("*", "/sse", sse, expect_handler=expect)
    app.router.add_route("*", MESSAGES, endpoint(app, {"POST": serving(legacy.post)}), expect_handler=expect)
    app.add_routes(well_known.routes())
    app.add_routes(
        [
            web.get("/healthz", health.alive, allow_head=False),
            web.get("/readyz", health.ready, allow_head=False),
            web.get("/metrics", health.metrics, allow_head=False),
        ]
    )


async def identity_and_api(app: web.Application) -> AsyncIterator[None]:
    """The identity provider and the DoiT API, over one pool of connections."""
    settings = app[app_keys.SETTINGS]
    to_api, to_identity, to_console = app[health.CIRCUITS]
    async with open_session() as http:
        upstream = Upstream(http, settings.doit_api_base, count=app[app_keys.METRICS].upstream, breaker=to_api)
        console: Upstream | None = None
        if base := settings.console_for_tokens:
            console = Upstream(http, base, count=app[app_keys.METRICS].upstream, breaker=to_console)
        async with open_auth(
            resource_url=settings.resource_url,
            auth_server_url=settings.auth_server_url,
            doit_api_base=settings.doit_api_base,
            secret=settings.exchange_secret,
            http=http,
            breaker=to_identity,
            tries=app[app_keys.TRIES],
            proven=app[app_keys.PROVEN],
            ended=app[app_keys.ENDED],
        ) as auth:
            _attach(app, auth, upstream, console)
            yield


def _attach(app: web.Application, auth: Auth, upstream: Upstream, console: Upstream | None) -> None:
    app[app_keys.AUTHENTICATOR] = auth.authenticator
    app[app_keys.CONNECTOR] = connector(upstream, auth, console)
    app[app_keys.READY] = lambda: auth.ready


async def _drain(app: web.Application) -> None:
    """No new work; what runs may finish; streams are ended politely (security L4)."""
    app[app_keys.DRAINING].set()
    await app[app_keys.WORK].finish(app[app_keys.SETTINGS].drain_s)
    await app[app_keys.SHARED].tasks.end_all()
    app[app_keys.SHARED].hub.close()
    app[app_keys.SESSIONS].end_all()
