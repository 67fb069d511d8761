"""Wires the stores of the application: in memory, or in Redis, shared with other replicas."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from ...auth.principal import Principal
from ...catalog.stores import write_receipts
from ...catalog.stores.approvals import CHANGE_LIMITS
from ...catalog.stores.result_store import RESULT_LIMITS, MemoryResultStore, ResultStore
from ...catalog.stores.write_receipts import MemoryReceiptStore, ReceiptStore
from ...catalog.tools.tool import ToolError
from ...events.store import Mailboxes, MemoryMailboxes
from ...redis_state.backend import RedisBackend
from ...redis_state.client import open_connection
from ...redis_state.connection import RedisConnection
from ...redis_state.consents import RedisConsents
from ...redis_state.encryption import Encryptor, Secrets, key_prefix
from ...redis_state.event_logs import EventLogs
from ...redis_state.event_store import RedisEventStore
from ...redis_state.mailboxes import RedisMailboxes
from ...redis_state.message_bus import HEARTBEAT_SECONDS, MessageBus
from ...redis_state.notification_relay import relay_notifications
from ...redis_state.result_store import RedisResultStore
from ...redis_state.session_records import SessionRecords
from ...redis_state.sessions import RedisSessions
from ...redis_state.task_records import TaskRecords
from ...redis_state.tasks import RedisTasks
from ...redis_state.write_receipts import RedisReceiptStore
from ...resilience.concurrency import ConcurrencyLimiter
from ...resilience.unavailable import StateUnavailable
from ...server import approvals, consents
from ...server.consents import Consents, MemoryConsents
from ...server.event_store import MAX_EVENTS_PER_STREAM, EventStore, MemoryEventStore
from ...server.memory_sessions import MemorySessions
from ...server.notification_hub import NotificationHub
from ...server.session_ids import SessionIds
from ...server.sessions import OnSessionEnd, Sessions
from ...server.tasks import MemoryTasks, Tasks
from ...settings import Settings
from .access import Endpoint
from .limits import Limits, local_limits, shared_limits
from .request_body import RequestRejected
from .stream_limits import StreamLimiter, unlimited_sessions

RESULTS_UNAVAILABLE = "Stored tables are temporarily unavailable; try again in a few seconds, or run the query again"
CHANGES_UNAVAILABLE = (
    "Nothing was changed: prepared changes are temporarily unavailable. Call confirm_action again in a few seconds"
)
RECEIPTS_UNAVAILABLE = (
    "Nothing was changed: the server records writes to prevent duplicates, and cannot record new ones at the moment. If"
    " this write may have been made a moment ago, check the current state. Otherwise, try again in a few minutes. If the"
    " problem persists, contact the operator of this server"
)
# Every heartbeat renews the open streams. After a longer Redis outage they count as closed.
STREAM_LIFETIME_SECONDS = 120
# Clients resume a lost stream soon. This is longer than any call takes.
EVENT_LOG_LIFETIME_SECONDS = 900
RETRY_AFTER_SECONDS = "2"


@dataclass(frozen=True, slots=True)
class StateBackends:
    """The stores and limits of the application. *redis* is set if replicas share them."""

    hub: NotificationHub
    event_store: EventStore
    sessions: Sessions
    streams: StreamLimiter
    tasks: Tasks
    results: ResultStore
    prepared_changes: ResultStore
    receipts: ReceiptStore
    consents: Consents
    limits: Limits
    mailboxes: Mailboxes
    redis: RedisBackend | None = None


def make_state_backends(
    settings: Settings,
    hub: NotificationHub,
    concurrency_limiter: ConcurrencyLimiter,
    on_session_end: OnSessionEnd,
) -> StateBackends:
    """Return the stores and limits for *settings* and the *concurrency_limiter* of calls.

    Raise ImportError if Redis is configured and the extra ``redis`` is not installed.
    """
    make = _redis_backends if settings.redis_url else _memory_backends
    return make(settings, hub, concurrency_limiter, on_session_end)


def _memory_backends(
    settings: Settings, hub: NotificationHub, concurrency_limiter: ConcurrencyLimiter, on_session_end: OnSessionEnd
) -> StateBackends:
    event_store = MemoryEventStore()
    sessions = MemorySessions(
        idle_seconds=settings.session_idle_s,
        max_per_owner=settings.sessions_per_principal,
        max_total=settings.sessions_total,
        ids=SessionIds(Encryptor(settings.effective_state_secrets, "session ids")),
        on_end=lambda session: event_store.forget_session(session.id),
        on_session_end=on_session_end,
    )
    return StateBackends(
        hub,
        event_store,
        sessions,
        StreamLimiter(settings.streams_per_principal, unlimited_sessions(on_session_end)),
        MemoryTasks(hub),
        MemoryResultStore(),
        approvals.memory_store(),
        MemoryReceiptStore(),
        MemoryConsents(),
        local_limits(settings, concurrency_limiter),
        MemoryMailboxes(),
    )


def _redis_backends(
    settings: Settings, hub: NotificationHub, concurrency_limiter: ConcurrencyLimiter, on_session_end: OnSessionEnd
) -> StateBackends:
    secrets, idle = settings.effective_state_secrets, settings.session_idle_s
    connection = open_connection(settings.redis_url, key_prefix(secrets))
    bus = MessageBus(connection, Encryptor(secrets, "bus"), heartbeat_seconds=min(HEARTBEAT_SECONDS, idle / 3))
    relay_notifications(hub, bus)
    event_store = _make_event_store(connection, secrets, bus, max(idle, EVENT_LOG_LIFETIME_SECONDS))
    session_encryptor = Encryptor(secrets, "sessions")
    records = SessionRecords(
        connection, session_encryptor, "session", bus.replica_id, ttl=idle, per_owner=settings.sessions_per_principal
    )
    sessions = RedisSessions(records, bus, "session", on_end=event_store.forget_session, on_session_end=on_session_end)
    stream_records = SessionRecords(
        connection, session_encryptor, "stream", bus.replica_id, ttl=max(idle, STREAM_LIFETIME_SECONDS)
    )
    stream_sessions = RedisSessions(stream_records, bus, "stream", requires_holder=True, on_session_end=on_session_end)
    streams = StreamLimiter(settings.streams_per_principal, stream_sessions)
    tasks = RedisTasks(
        hub, TaskRecords(connection, Encryptor(secrets, "tasks"), bus.write_queue, "task", bus.replica_id), bus
    )
    limits = shared_limits(settings, connection, bus, concurrency_limiter, streams, tasks)
    receipts = _make_receipt_store(connection, secrets)
    used_consents = RedisConsents(
        connection,
        Encryptor(secrets, "consents"),
        lifetime_seconds=consents.LIFETIME_SECONDS,
        per_owner=consents.MAX_PER_OWNER,
    )
    return StateBackends(
        hub,
        event_store,
        sessions,
        streams,
        tasks,
        _make_result_store(connection, secrets),
        _make_store_of_changes(connection, secrets),
        receipts,
        used_consents,
        limits,
        RedisMailboxes(connection, Encryptor(secrets, "mailboxes"), bus.replica_id),
        RedisBackend(
            connection, bus, (used_consents.record_start,), (receipts.close, *(quota.close for quota in limits.quotas))
        ),
    )


def _make_event_store(
    connection: RedisConnection, secrets: Secrets, bus: MessageBus, lifetime_seconds: float
) -> RedisEventStore:
    logs = EventLogs(
        connection,
        Encryptor(secrets, "logs"),
        bus.write_queue,
        bus.replica_id,
        ttl=lifetime_seconds,
        max_events=MAX_EVENTS_PER_STREAM,
    )
    return RedisEventStore(logs, bus)


def _make_result_store(connection: RedisConnection, secrets: Secrets) -> RedisResultStore:
    return RedisResultStore(
        connection,
        Encryptor(secrets, "results"),
        lambda: ToolError(RESULTS_UNAVAILABLE),
        RESULT_LIMITS,
    )


def _make_store_of_changes(connection: RedisConnection, secrets: Secrets) -> RedisResultStore:
    return RedisResultStore(
        connection,
        Encryptor(secrets, "prepared changes"),
        lambda: ToolError(CHANGES_UNAVAILABLE),
        CHANGE_LIMITS,
        name="change",
    )


def _make_receipt_store(connection: RedisConnection, secrets: Secrets) -> RedisReceiptStore:
    return RedisReceiptStore(
        connection,
        Encryptor(secrets, "receipts"),
        MemoryReceiptStore(),
        MemoryReceiptStore(total=write_receipts.MAX_MIRRORED_RECEIPTS, total_bytes=write_receipts.MAX_MIRRORED_BYTES),
        lambda: ToolError(RECEIPTS_UNAVAILABLE),
        ttl=write_receipts.TTL_SECONDS,
        per_owner=write_receipts.MAX_RECEIPTS_PER_OWNER,
        max_answer_bytes=write_receipts.MAX_ANSWER_BYTES,
    )


def with_unavailable_response(serve: Endpoint) -> Endpoint:
    """Return an endpoint that responds with 503 if *serve* needs Redis and Redis is unavailable."""

    async def guard(request: web.Request, principal: Principal) -> web.StreamResponse:
        try:
            return await serve(request, principal)
        except StateUnavailable as unavailable:
            raise RequestRejected(503, str(unavailable), {"Retry-After": RETRY_AFTER_SECONDS}) from unavailable

    return guard
