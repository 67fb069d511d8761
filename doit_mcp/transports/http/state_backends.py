"""The parts of the application that hold state: in this process, or in Redis, shared with other replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from ...auth.ended_logins import Ended
from ...auth.principal import Principal
from ...catalog.stores import result_store, write_receipts
from ...catalog.stores.result_store import MemoryResults, Results
from ...catalog.stores.write_receipts import MemoryReceipts, Receipt, Receipts
from ...catalog.tools.tool import ToolError
from ...redis_state.connection import Link, open_link
from ...redis_state.consents import RedisConsents
from ...redis_state.encryption import Box, Secrets, prefix
from ...redis_state.errors import Away
from ...redis_state.event_logs import Logs
from ...redis_state.message_bus import BEAT_S, Body, Bus
from ...redis_state.result_store import RedisResults
from ...redis_state.session_records import Records
from ...redis_state.task_records import Notes
from ...redis_state.write_receipts import RedisReceipts
from ...resilience.concurrency import Slots
from ...server import consents
from ...server.consents import Consents, MemoryConsents
from ...server.credential_expiry import NEVER, Leases
from ...server.event_store import MOST_EVENTS, Replays
from ...server.notification_hub import Hub
from ...server.notification_relay import relay
from ...server.sessions import MemorySessions, Sessions
from ...server.shared_event_store import SharedReplays
from ...server.shared_sessions import SharedSessions
from ...server.shared_tasks import SharedTasks
from ...server.tasks import Tasks
from ...settings import Settings
from .access import Endpoint
from .limits import Limits, own_limits, shared_limits
from .request_body import Refused
from .stream_limits import Streams

NO_RESULTS = "Kept tables are temporarily unavailable; try again in a few seconds, or get the table anew"
UNPROTECTED = (
    "Nothing was changed: the store that keeps writes from being done twice refuses new entries at the moment, so"
    " this write could not be recorded. Check the current state if it may have been done a moment ago; otherwise try"
    " again in a few minutes, and tell the operator of this server if the problem persists"
)
# A stream says that it is there at every beat; so long may Redis be away before it counts as gone (seconds).
STREAM_LIFE_S = 120
# A client comes back for a lost stream soon; longer than any call takes (seconds).
LOG_LIFE_S = 900
RETRY_S = "2"


@dataclass(frozen=True, slots=True)
class Parts:
    """What holds state; *redis* is there where it is shared."""

    hub: Hub
    replays: Replays
    sessions: Sessions
    streams: Streams
    tasks: Tasks
    results: Results
    receipts: Receipts
    consents: Consents
    limits: Limits
    redis: Redis | None = None


class Redis:
    """The link to Redis and what needs it all the time; *opens* prepare what uses the link, *closes* end it."""

    def __init__(
        self,
        link: Link,
        bus: Bus,
        opens: Sequence[Callable[[], Awaitable[None]]],
        closes: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        self.link, self.bus, self._opens, self._closes = link, bus, opens, closes

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """What operators want to see of it."""
        return {
            "redis_away": ("Whether Redis cannot be used", lambda: float(self.link.away)),
            "redis_full": ("Whether Redis refused writes for lack of memory", lambda: float(self.link.full)),
            "redis_waiting": ("Messages that wait for Redis", lambda: float(len(self.bus.sender))),
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take part among the replicas while the block runs."""
        try:
            async with self.bus.running():
                for prepare in self._opens:
                    await prepare()
                yield
        finally:
            for close in self._closes:
                await close()
            await self.link.close()


def parts(settings: Settings, hub: Hub, slots: Slots) -> Parts:
    """The parts for *settings*, and for the *slots* of calls.

    Raises ImportError where Redis is wanted and the extra ``redis`` is not installed.
    """
    return _shared(settings, hub, slots) if settings.redis_url else _own(settings, hub, slots)


def _own(settings: Settings, hub: Hub, slots: Slots) -> Parts:
    replays = Replays()
    sessions = MemorySessions(
        idle=settings.session_idle_s,
        per_owner=settings.sessions_per_principal,
        total=settings.sessions_total,
        ended=lambda session: replays.forget(session.id),
    )
    return Parts(
        hub,
        replays,
        sessions,
        Streams(settings.streams_per_principal),
        Tasks(hub),
        MemoryResults(),
        MemoryReceipts(),
        MemoryConsents(),
        own_limits(settings, slots),
    )


def _shared(settings: Settings, hub: Hub, slots: Slots) -> Parts:
    secret, idle = settings.state_keys, settings.session_idle_s
    link = open_link(settings.redis_url, prefix(secret))
    bus = Bus(link, Box(secret, "bus"), beat=min(BEAT_S, idle / 3))
    relay(hub, bus)
    logs = Logs(link, Box(secret, "logs"), bus.sender, bus.id, life=max(idle, LOG_LIFE_S), most_events=MOST_EVENTS)
    replays = SharedReplays(logs, bus)
    box = Box(secret, "sessions")
    records = Records(link, box, "session", bus.id, life=idle, per_owner=settings.sessions_per_principal)
    sessions = SharedSessions(records, bus, "session", ended=replays.forget)
    held = Records(link, box, "stream", bus.id, life=max(idle, STREAM_LIFE_S))
    streams = Streams(settings.streams_per_principal, SharedSessions(held, bus, "stream", held=True))
    tasks = SharedTasks(hub, Notes(link, Box(secret, "tasks"), bus.sender, "task", bus.id), bus)
    limits = shared_limits(settings, link, bus, slots, streams, tasks)
    kept_receipts = _receipts(link, secret)
    used = RedisConsents(link, Box(secret, "consents"), life=consents.LIFE_SECONDS, per_owner=consents.PER_OWNER)
    return Parts(
        hub,
        replays,
        sessions,
        streams,
        tasks,
        _results(link, secret),
        kept_receipts,
        used,
        limits,
        Redis(link, bus, (used.open,), (kept_receipts.close, *(one.close for one in limits.counts))),
    )


def _results(link: Link, secret: Secrets) -> RedisResults:
    return RedisResults(
        link,
        Box(secret, "results"),
        lambda: ToolError(NO_RESULTS),
        life=result_store.LIFE_S,
        most_bytes=result_store.MOST_BYTES,
        per_owner=result_store.PER_OWNER,
        owner_bytes=result_store.OWNER_BYTES,
        total=result_store.MAX_TOTAL,
        total_bytes=result_store.TOTAL_BYTES,
    )


def _receipts(link: Link, secret: Secrets) -> RedisReceipts[Receipt]:
    return RedisReceipts(
        link,
        Box(secret, "receipts"),
        MemoryReceipts(),
        MemoryReceipts(total=write_receipts.MAX_MIRROR, total_bytes=write_receipts.MAX_MIRROR_BYTES),
        Receipt,
        lambda: ToolError(UNPROTECTED),
        life=write_receipts.LIFE_S,
        per_owner=write_receipts.PER_OWNER,
        most_bytes=write_receipts.MOST_BYTES,
    )


def share_ended(ended: Ended, bus: Bus) -> None:
    """A login that ended at one replica has ended at all of them."""

    def relay(key: bytes, expires: float) -> None:
        bus.broadcast("login ended", key=key.hex(), expires=expires)

    async def heard(body: Body) -> None:
        ended.heard(bytes.fromhex(body["key"]), body["expires"])

    ended.relay = relay
    bus.on("login ended", heard)


def share_renewals(leases: Leases, bus: Bus) -> None:
    """A client of HTTP+SSE may show its renewed token to a replica that does not hold its stream."""

    def relay(session: str, key: bytes, expires: float) -> None:
        # An API token has no end of its own, and JSON has no infinity.
        bus.broadcast("stream renewed", id=session, key=key.hex(), expires=None if expires == NEVER else expires)

    async def heard(body: Body) -> None:
        expires = NEVER if body["expires"] is None else body["expires"]
        leases.heard(body["id"], bytes.fromhex(body["key"]), expires)

    leases.relay = relay
    bus.on("stream renewed", heard)


def available(serve: Endpoint) -> Endpoint:
    """An endpoint that says so when it needs Redis and Redis is away."""

    async def served(request: web.Request, principal: Principal) -> web.StreamResponse:
        try:
            return await serve(request, principal)
        except Away as away:
            raise Refused(503, str(away), {"Retry-After": RETRY_S}) from away

    return served
