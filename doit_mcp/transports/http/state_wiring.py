"""Wires the stores of the application: in memory, or in Redis, shared with other replicas."""

from __future__ import annotations

from ...catalog.stores.result_store import MemoryResultStore
from ...catalog.stores.write_receipts import MemoryReceiptStore
from ...events.store import MemoryMailboxes
from ...redis_state.encryption import Encryptor
from ...resilience.concurrency import ConcurrencyLimiter
from ...server import approvals
from ...server.consents import MemoryConsents
from ...server.event_store import MemoryEventStore
from ...server.memory_sessions import MemorySessions
from ...server.notification_hub import NotificationHub
from ...server.session_ids import SessionIds
from ...server.sessions import OnSessionEnd
from ...server.tasks import MemoryTasks
from ...settings import Settings
from .limits import make_local_limits
from .state_backends import StateBackends
from .stream_limits import StreamLimiter, make_unlimited_sessions


def make_state_backends(
    settings: Settings,
    hub: NotificationHub,
    concurrency_limiter: ConcurrencyLimiter,
    on_session_end: OnSessionEnd,
) -> StateBackends:
    """Return the stores and limits for *settings* and the *concurrency_limiter* of calls.

    Raise ImportError if Redis is configured and the extra ``redis`` is not installed.
    """
    if not settings.redis_url:
        return _memory_backends(settings, hub, concurrency_limiter, on_session_end)
    # Its 25 modules are only loaded for servers with Redis.
    from .redis_wiring import make_redis_backends

    return make_redis_backends(settings, hub, concurrency_limiter, on_session_end)


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
        StreamLimiter(settings.streams_per_principal, make_unlimited_sessions(on_session_end)),
        MemoryTasks(hub),
        MemoryResultStore(),
        approvals.make_memory_store(),
        MemoryReceiptStore(),
        MemoryConsents(),
        make_local_limits(settings, concurrency_limiter),
        MemoryMailboxes(),
    )
