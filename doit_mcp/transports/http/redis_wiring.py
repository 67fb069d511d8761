"""Wires the stores that replicas share in Redis. Loaded only if Redis is configured."""

from __future__ import annotations

from ...catalog.stores import write_receipts
from ...catalog.stores.approvals import CHANGE_LIMITS
from ...catalog.stores.result_store import RESULT_LIMITS
from ...catalog.stores.write_receipts import MemoryReceiptStore
from ...catalog.tools.tool import ToolError
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
from ...server import consents
from ...server.event_store import MAX_EVENTS_PER_STREAM
from ...server.notification_hub import NotificationHub
from ...server.sessions import OnSessionEnd
from ...settings import Settings
from .redis_limits import make_shared_limits
from .state_backends import StateBackends
from .stream_limits import StreamLimiter

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


def make_redis_backends(
    settings: Settings, hub: NotificationHub, concurrency_limiter: ConcurrencyLimiter, on_session_end: OnSessionEnd
) -> StateBackends:
    """Return the stores and limits for *settings* in Redis. Raise ImportError without the extra ``redis``."""
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
    limits = make_shared_limits(settings, connection, bus, concurrency_limiter, streams, tasks)
    receipts = _make_receipt_store(connection, secrets)
    used_consents = _make_consents(connection, secrets)
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


def _make_consents(connection: RedisConnection, secrets: Secrets) -> RedisConsents:
    return RedisConsents(
        connection,
        Encryptor(secrets, "consents"),
        lifetime_seconds=consents.LIFETIME_SECONDS,
        per_owner=consents.MAX_PER_OWNER,
    )
