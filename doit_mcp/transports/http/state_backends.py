"""The parts of the application that hold state: in this process, or in Redis, shared with other replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from ...auth.ended_logins import EndedLogins
from ...auth.principal import Principal
from ...catalog.stores import result_store, write_receipts
from ...catalog.stores.result_store import MemoryResultStore, ResultStore
from ...catalog.stores.write_receipts import MemoryReceiptStore, Receipt, ReceiptStore
from ...catalog.tools.tool import ToolError
from ...redis_state.connection import RedisConnection, open_connection
from ...redis_state.consents import RedisConsents
from ...redis_state.encryption import Encryptor, Secrets, key_prefix
from ...redis_state.errors import Unavailable
from ...redis_state.event_logs import EventLogs
from ...redis_state.message_bus import HEARTBEAT_SECONDS, MessageBus, Payload
from ...redis_state.result_store import RedisResultStore
from ...redis_state.session_records import SessionRecords
from ...redis_state.task_records import TaskRecords
from ...redis_state.write_receipts import RedisReceiptStore
from ...resilience.concurrency import ConcurrencyLimiter
from ...server import consents
from ...server.consents import Consents, MemoryConsents
from ...server.credential_expiry import NEVER_EXPIRES, StreamLeases
from ...server.event_store import MAX_EVENTS_PER_STREAM, EventStore
from ...server.notification_hub import NotificationHub
from ...server.notification_relay import relay_notifications
from ...server.sessions import MemorySessions, Sessions
from ...server.shared_event_store import SharedEventStore
from ...server.shared_sessions import SharedSessions
from ...server.shared_tasks import SharedTasks
from ...server.tasks import Tasks
from ...settings import Settings
from .access import Endpoint
from .limits import Limits, local_limits, shared_limits
from .request_body import RequestRejected
from .stream_limits import StreamLimiter

RESULTS_UNAVAILABLE = "Kept tables are temporarily unavailable; try again in a few seconds, or get the table anew"
RECEIPTS_UNAVAILABLE = (
    "Nothing was changed: the store that keeps writes from being done twice refuses new entries at the moment, so"
    " this write could not be recorded. Check the current state if it may have been done a moment ago; otherwise try"
    " again in a few minutes, and tell the operator of this server if the problem persists"
)
# A stream says that it is there at every beat; so long may Redis be away before it counts as gone (seconds).
STREAM_LIFETIME_SECONDS = 120
# A client comes back for a lost stream soon; longer than any call takes (seconds).
EVENT_LOG_LIFETIME_SECONDS = 900
RETRY_AFTER_SECONDS = "2"


@dataclass(frozen=True, slots=True)
class StateBackends:
    """What holds state; *redis* is there where it is shared."""

    hub: NotificationHub
    event_store: EventStore
    sessions: Sessions
    streams: StreamLimiter
    tasks: Tasks
    results: ResultStore
    receipts: ReceiptStore
    consents: Consents
    limits: Limits
    redis: RedisBackend | None = None


class RedisBackend:
    """The link to Redis and what needs it all the time; *opens* prepare what uses the link, *closes* end it."""

    def __init__(
        self,
        connection: RedisConnection,
        bus: MessageBus,
        on_open: Sequence[Callable[[], Awaitable[None]]],
        on_close: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        self.connection, self.bus, self._on_open, self._on_close = connection, bus, on_open, on_close

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """What operators want to see of it."""
        return {
            "redis_away": ("Whether Redis cannot be used", lambda: float(self.connection.unavailable)),
            "redis_full": ("Whether Redis refused writes for lack of memory", lambda: float(self.connection.full)),
            "redis_waiting": ("Messages that wait for Redis", lambda: float(len(self.bus.write_queue))),
        }

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        """Take part among the replicas while the block runs."""
        try:
            async with self.bus.lifespan():
                for prepare in self._on_open:
                    await prepare()
                yield
        finally:
            for close in self._on_close:
                await close()
            await self.connection.close()


def make_state_backends(
    settings: Settings, hub: NotificationHub, concurrency_limiter: ConcurrencyLimiter
) -> StateBackends:
    """The parts for *settings*, and for the *concurrency_limiter* of calls.

    Raises ImportError where Redis is wanted and the extra ``redis`` is not installed.
    """
    return (
        _redis_backends(settings, hub, concurrency_limiter)
        if settings.redis_url
        else _memory_backends(settings, hub, concurrency_limiter)
    )


def _memory_backends(
    settings: Settings, hub: NotificationHub, concurrency_limiter: ConcurrencyLimiter
) -> StateBackends:
    replays = EventStore()
    sessions = MemorySessions(
        idle_seconds=settings.session_idle_s,
        max_per_owner=settings.sessions_per_principal,
        max_total=settings.sessions_total,
        on_end=lambda session: replays.forget_session(session.id),
    )
    return StateBackends(
        hub,
        replays,
        sessions,
        StreamLimiter(settings.streams_per_principal),
        Tasks(hub),
        MemoryResultStore(),
        MemoryReceiptStore(),
        MemoryConsents(),
        local_limits(settings, concurrency_limiter),
    )


def _redis_backends(settings: Settings, hub: NotificationHub, concurrency_limiter: ConcurrencyLimiter) -> StateBackends:
    secret, idle = settings.effective_state_secrets, settings.session_idle_s
    link = open_connection(settings.redis_url, key_prefix(secret))
    bus = MessageBus(link, Encryptor(secret, "bus"), heartbeat_seconds=min(HEARTBEAT_SECONDS, idle / 3))
    relay_notifications(hub, bus)
    logs = EventLogs(
        link,
        Encryptor(secret, "logs"),
        bus.write_queue,
        bus.replica_id,
        ttl=max(idle, EVENT_LOG_LIFETIME_SECONDS),
        max_events=MAX_EVENTS_PER_STREAM,
    )
    replays = SharedEventStore(logs, bus)
    box = Encryptor(secret, "sessions")
    records = SessionRecords(link, box, "session", bus.replica_id, ttl=idle, per_owner=settings.sessions_per_principal)
    sessions = SharedSessions(records, bus, "session", on_end=replays.forget_session)
    held = SessionRecords(link, box, "stream", bus.replica_id, ttl=max(idle, STREAM_LIFETIME_SECONDS))
    streams = StreamLimiter(settings.streams_per_principal, SharedSessions(held, bus, "stream", requires_holder=True))
    tasks = SharedTasks(
        hub, TaskRecords(link, Encryptor(secret, "tasks"), bus.write_queue, "task", bus.replica_id), bus
    )
    limits = shared_limits(settings, link, bus, concurrency_limiter, streams, tasks)
    kept_receipts = _make_receipt_store(link, secret)
    used = RedisConsents(
        link,
        Encryptor(secret, "consents"),
        lifetime_seconds=consents.LIFETIME_SECONDS,
        per_owner=consents.MAX_PER_OWNER,
    )
    return StateBackends(
        hub,
        replays,
        sessions,
        streams,
        tasks,
        _make_result_store(link, secret),
        kept_receipts,
        used,
        limits,
        RedisBackend(link, bus, (used.record_start,), (kept_receipts.close, *(one.close for one in limits.quotas))),
    )


def _make_result_store(connection: RedisConnection, secret: Secrets) -> RedisResultStore:
    return RedisResultStore(
        connection,
        Encryptor(secret, "results"),
        lambda: ToolError(RESULTS_UNAVAILABLE),
        ttl=result_store.TTL_SECONDS,
        max_result_bytes=result_store.MAX_RESULT_BYTES,
        per_owner=result_store.MAX_RESULTS_PER_OWNER,
        owner_bytes=result_store.MAX_BYTES_PER_OWNER,
        total=result_store.MAX_RESULTS,
        total_bytes=result_store.MAX_TOTAL_BYTES,
    )


def _make_receipt_store(connection: RedisConnection, secret: Secrets) -> RedisReceiptStore[Receipt]:
    return RedisReceiptStore(
        connection,
        Encryptor(secret, "receipts"),
        MemoryReceiptStore(),
        MemoryReceiptStore(total=write_receipts.MAX_MIRRORED_RECEIPTS, total_bytes=write_receipts.MAX_MIRRORED_BYTES),
        Receipt,
        lambda: ToolError(RECEIPTS_UNAVAILABLE),
        ttl=write_receipts.TTL_SECONDS,
        per_owner=write_receipts.MAX_RECEIPTS_PER_OWNER,
        max_answer_bytes=write_receipts.MAX_ANSWER_BYTES,
    )


def share_ended_logins(ended: EndedLogins, bus: MessageBus) -> None:
    """A login that ended at one replica has ended at all of them."""

    def relay(key: bytes, expires: float) -> None:
        bus.broadcast("login ended", key=key.hex(), expires=expires)

    async def heard(body: Payload) -> None:
        ended.receive_ended(bytes.fromhex(body["key"]), body["expires"])

    ended.forward_ended = relay
    bus.on_message("login ended", heard)


def share_renewals(leases: StreamLeases, bus: MessageBus) -> None:
    """A client of HTTP+SSE may show its renewed token to a replica that does not hold its stream."""

    def relay(session: str, key: bytes, expires: float) -> None:
        # An API token has no end of its own, and JSON has no infinity.
        bus.broadcast(
            "stream renewed", id=session, key=key.hex(), expires=None if expires == NEVER_EXPIRES else expires
        )

    async def heard(body: Payload) -> None:
        expires = NEVER_EXPIRES if body["expires"] is None else body["expires"]
        leases.receive_renewal(body["id"], bytes.fromhex(body["key"]), expires)

    leases.forward_renewal = relay
    bus.on_message("stream renewed", heard)


def with_unavailable_response(serve: Endpoint) -> Endpoint:
    """An endpoint that says so when it needs Redis and Redis is away."""

    async def served(request: web.Request, principal: Principal) -> web.StreamResponse:
        try:
            return await serve(request, principal)
        except Unavailable as away:
            raise RequestRejected(503, str(away), {"Retry-After": RETRY_AFTER_SECONDS}) from away

    return served
