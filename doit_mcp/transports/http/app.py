"""Builds the aiohttp application and wires all of its components."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from ...api.http import Upstream, open_session
from ...auth.authentication import Authentication, open_authentication
from ...auth.ended_logins import EndedLogins
from ...catalog.stores.run_followers import RunFollowers
from ...observability.logging_setup import LOG_STREAMS
from ...observability.metrics import Metrics
from ...protocol.endpoint_urls import CHECK_PATH, MESSAGES_PATH, SSE_PATH
from ...resilience.circuit_breaker import CircuitBreaker
from ...resilience.concurrency import ConcurrencyLimiter
from ...server.approval_tokens import ApprovalTokens
from ...server.approvals import Approvals
from ...server.credential_expiry import StreamLeases
from ...server.message_endpoint import MessageEndpoint
from ...server.notification_hub import NotificationHub
from ...server.request_context import Events, Services
from ...server.request_runner import RequestRunner
from ...server.signed_state import StateSigner
from ...settings import Settings
from ...settings.errors import BadSettings
from . import app_keys, health, well_known
from .access import Endpoint, add_common_headers, check_expect, make_endpoint
from .api_access import make_api_factory, make_event_api_factory
from .body_memory import BodyMemory
from .catalog_selection import CatalogSelector, MakeCatalog
from .check_page import CheckPage
from .connection_limits import ConnectionLimits
from .event_loop_lag import monitor_lag
from .event_reports import INGEST_PATH, report_event
from .event_wiring import EventNetwork, make_events, run_events
from .keepalive import Keepalive
from .legacy_sse import LegacySseEndpoint
from .paths import MCP_PATHS
from .request_logging import SPANS
from .state_backends import StateBackends, with_unavailable_response
from .state_wiring import make_state_backends
from .streamable_http import StreamableHttpEndpoint

if TYPE_CHECKING:
    from ...redis_state.backend import RedisBackend

CleanupContext = Callable[[web.Application], AsyncIterator[None]]


def build_app(
    settings: Settings,
    make_catalog: MakeCatalog,
    external_services: CleanupContext | None = None,
    hub: NotificationHub | None = None,
    clock: Callable[[], float] = time.time,
    run_followers: RunFollowers | None = None,
    event_network: EventNetwork | None = None,
) -> web.Application:
    """Build the application for *settings*. *make_catalog* makes the catalog for a selection.

    *external_services* connects the application to the identity provider and the DoiT API while it runs. Changes
    published on *hub* reach all subscribed clients. *clock* tells tools the current time, in epoch seconds; tokens are
    always checked against the real time. *run_followers* has the clock of waits for report runs. *event_network* is how
    receivers of events are reached.
    """
    app = web.Application(client_max_size=settings.max_body)
    app[app_keys.SETTINGS] = settings
    app[app_keys.ALLOWED_HOSTS], app[app_keys.ALLOWED_ORIGINS] = settings.accepted_hosts, settings.accepted_origins
    app[app_keys.BASE_URL_BY_HOST] = settings.base_url_by_host
    state = _add_state(app, settings, NotificationHub() if hub is None else hub)
    app[app_keys.KEEPALIVE] = Keepalive(settings.keep_alive_s)
    app[health.CIRCUIT_BREAKERS] = (
        CircuitBreaker("api"),
        CircuitBreaker("identity", single_operation=True),
        CircuitBreaker("console", single_operation=True),
    )
    app[app_keys.METRICS] = metrics = _make_metrics(app, state.redis)
    app[app_keys.BODY_MEMORY] = BodyMemory(settings.max_body)
    app[app_keys.CONNECTION_LIMITS] = ConnectionLimits(metrics, settings.keep_alive_timeout_s)
    events = make_events(app, settings, state, metrics, clock, event_network or EventNetwork())
    app[app_keys.SERVICES] = _make_services(settings, state, metrics, clock, run_followers, events)
    app[app_keys.MESSAGE_ENDPOINT] = MessageEndpoint(
        app[app_keys.SERVICES], app[app_keys.REQUEST_RUNNER], state.limits.admission
    )
    app[app_keys.CATALOG_SELECTOR] = CatalogSelector(make_catalog)
    app[app_keys.DRAINING] = asyncio.Event()
    app.on_response_prepare.append(add_common_headers)
    _add_lifetimes(app, external_services or connect_external_services, state.redis)
    if settings.otlp_endpoint:
        _export_telemetry(app, settings)
    _add_routes(app, (lambda serve: serve) if state.redis is None else with_unavailable_response)
    return app


def _add_lifetimes(app: web.Application, external_services: CleanupContext, redis: RedisBackend | None) -> None:
    """Add what runs while the application runs, in the order in which it starts."""
    app.cleanup_ctx.append(monitor_lag(app[app_keys.METRICS].loop_delay.observe))
    app.cleanup_ctx.append(external_services)
    if redis is not None:
        app.cleanup_ctx.append(_connect_redis(redis))
    app.cleanup_ctx.append(run_events)
    app.on_shutdown.append(_drain)


def _add_state(app: web.Application, settings: Settings, hub: NotificationHub) -> StateBackends:
    limiter = ConcurrencyLimiter(max_per_owner=settings.calls_per_principal, max_total=settings.calls_total)
    # The metrics are created later, because some of them show this state.
    state = make_state_backends(
        settings, hub, limiter, lambda revision, seconds: app[app_keys.METRICS].count_session(revision, seconds)
    )
    app[app_keys.REQUEST_RUNNER], app[app_keys.SHARED_ATTEMPTS] = RequestRunner(limiter), state.limits.attempts
    app[app_keys.SHARED_VERIFIED_TOKENS] = state.limits.verified_tokens
    app[app_keys.STREAM_LIMITER], app[app_keys.EVENT_STORE] = state.streams, state.event_store
    app[app_keys.SESSIONS] = state.sessions
    app[app_keys.STREAM_LEASES] = leases = StreamLeases()
    app[app_keys.ENDED_LOGINS] = ended_logins = EndedLogins(time.time, leases.end_streams)
    if state.redis is not None:
        state.redis.share_credentials(ended_logins, leases)
    app[app_keys.HAS_STATE] = lambda: state.redis is None or not state.redis.connection.unavailable
    return state


def _make_services(
    settings: Settings,
    state: StateBackends,
    metrics: Metrics,
    clock: Callable[[], float],
    run_followers: RunFollowers | None,
    events: Events | None,
) -> Services:
    return Services(
        state.hub,
        StateSigner.from_secrets(*settings.effective_state_secrets),
        state.tasks,
        settings.console_base,
        state.results,
        clock=clock,
        call_metrics=metrics,
        receipts=state.receipts,
        audit_required=settings.audit_required,
        consents=state.consents,
        approvals=Approvals(
            state.prepared_changes,
            ApprovalTokens(*settings.effective_state_secrets),
            state.consents,
            settings.confirm_changes,
        ),
        run_followers=RunFollowers() if run_followers is None else run_followers,
        events=events,
    )


def _make_metrics(app: web.Application, redis: RedisBackend | None) -> Metrics:
    shared = {} if redis is None else redis.gauges()
    return Metrics(
        {
            "sessions": ("Open sessions", lambda: len(app[app_keys.SESSIONS])),
            "body_bytes": ("Bytes of the request bodies in progress", lambda: app[app_keys.BODY_MEMORY].total_bytes),
            "connections": ("Open connections of clients", lambda: app[app_keys.CONNECTION_LIMITS].open_connections),
            "streams": ("Open event streams", lambda: app[app_keys.STREAM_LIMITER].open_streams),
            "calls_in_flight": (
                "Requests in progress",
                lambda: app[app_keys.REQUEST_RUNNER].limiter.in_use,
            ),
            "event_subscriptions": ("Event subscriptions", lambda: _count_events(app, "subscription_count")),
            "event_subscriptions_suspended": (
                "Suspended event subscriptions",
                lambda: _count_events(app, "suspended_count"),
            ),
            "event_oldest_wait_seconds": (
                "Wait of the oldest event",
                lambda: _count_events(app, "oldest_wait_seconds"),
            ),
            "event_poll_interval_seconds": (
                "Longest interval of routine polls for events",
                lambda: _count_events(app, "poll_interval_seconds"),
            ),
            "event_deliveries_pending": ("Waiting deliveries", lambda: _count_events(app, "pending_count")),
            "tasks": ("Stored tasks", lambda: len(app[app_keys.SERVICES].tasks)),
            "listeners": (
                "Subscriptions to change notifications",
                lambda: len(app[app_keys.SERVICES].notification_hub),
            ),
            **shared,
        },
        {circuit.name: partial(getattr, circuit, "state") for circuit in app[health.CIRCUIT_BREAKERS]},
        LOG_STREAMS,
    )


def _count_events(app: web.Application, name: str) -> float:
    events = app[app_keys.SERVICES].events
    return 0.0 if events is None else float(getattr(events.service, name))


def _export_telemetry(app: web.Application, settings: Settings) -> None:
    try:
        from ...observability.opentelemetry import open_span_recorder
        from ...observability.opentelemetry_metrics import open_metrics_export
    except ImportError:
        problem = "OTEL_EXPORTER_OTLP_ENDPOINT requires the extra otel: pip install 'doit-mcp[otel]'"
        raise BadSettings([problem]) from None
    app[SPANS] = spans = open_span_recorder(settings.otlp_endpoint)

    async def export_until_shutdown(app: web.Application) -> AsyncIterator[None]:
        metrics = (
            open_metrics_export(
                settings.otlp_endpoint, app[app_keys.METRICS].collect, settings.metric_export_interval_ms / 1000
            )
            if settings.metrics_exporter == "otlp"
            else None
        )
        yield
        await asyncio.gather(spans.close(), *([] if metrics is None else [metrics.close()]))

    app.cleanup_ctx.append(export_until_shutdown)


def _connect_redis(redis: RedisBackend) -> CleanupContext:
    async def connect_until_shutdown(app: web.Application) -> AsyncIterator[None]:
        async with redis.connect():
            yield

    return connect_until_shutdown


def _add_routes(app: web.Application, wrap: Callable[[Endpoint], Endpoint]) -> None:
    streamable, legacy = StreamableHttpEndpoint(app), LegacySseEndpoint(app)
    post, delete = wrap(streamable.post), wrap(streamable.delete)
    mcp = make_endpoint(app, {"POST": post, "GET": wrap(streamable.get), "DELETE": delete})
    for path in MCP_PATHS:
        app.router.add_route("*", path, mcp, expect_handler=check_expect)
    # Some connectors post to the configured URL, whichever transport they use.
    sse = make_endpoint(app, {"GET": wrap(legacy.get), "POST": post, "DELETE": delete})
    app.router.add_route("*", SSE_PATH, sse, expect_handler=check_expect)
    app.router.add_route(
        "*", MESSAGES_PATH, make_endpoint(app, {"POST": wrap(legacy.post)}), expect_handler=check_expect
    )
    app.add_routes(well_known.discovery_routes())
    app.add_routes(
        [
            web.get(CHECK_PATH, CheckPage(app).get),
            web.get("/healthz", health.get_liveness),
            web.get("/readyz", health.get_readiness),
            web.get("/metrics", health.get_metrics),
            web.post(INGEST_PATH, report_event),
        ]
    )


async def connect_external_services(app: web.Application) -> AsyncIterator[None]:
    """Connect to the identity provider and the DoiT API through one connection pool."""
    settings = app[app_keys.SETTINGS]
    to_api, to_identity, to_console = app[health.CIRCUIT_BREAKERS]
    async with open_session() as http:
        upstream = Upstream(
            http, settings.doit_api_base, on_exchange=app[app_keys.METRICS].count_upstream_request, breaker=to_api
        )
        console: Upstream | None = None
        if base := settings.trusted_console_base:
            console = Upstream(http, base, on_exchange=app[app_keys.METRICS].count_upstream_request, breaker=to_console)
        async with open_authentication(
            resource_urls=settings.base_urls,
            auth_server_url=settings.auth_server_url,
            doit_api_base=settings.doit_api_base,
            secret=settings.exchange_secret,
            http=http,
            breaker=to_identity,
            shared_attempts=app[app_keys.SHARED_ATTEMPTS],
            verified_tokens=app[app_keys.SHARED_VERIFIED_TOKENS],
            ended_logins=app[app_keys.ENDED_LOGINS],
        ) as auth:
            _attach_auth(app, auth, upstream, console)
            yield


def _attach_auth(app: web.Application, auth: Authentication, upstream: Upstream, console: Upstream | None) -> None:
    app[app_keys.AUTHENTICATOR], app[app_keys.PROVIDER_METADATA] = auth.authenticator, auth.provider_metadata
    app[app_keys.API_FACTORY] = make_api_factory(upstream, auth, console)
    app[app_keys.EVENT_API_FACTORY], app[app_keys.AUTHENTICATION] = make_event_api_factory(upstream), auth
    app[app_keys.IS_READY] = lambda: auth.ready


async def _drain(app: web.Application) -> None:
    """Reject new requests, let running ones finish, and close streams cleanly."""
    app[app_keys.DRAINING].set()
    await app[app_keys.REQUEST_RUNNER].drain(app[app_keys.SETTINGS].drain_s)
    await app[app_keys.SERVICES].tasks.end_all()
    app[app_keys.SERVICES].notification_hub.close_streams()
    app[app_keys.SESSIONS].end_all()
