"""The stores of the application, which are in memory, or in Redis, shared with other replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from ...auth.principal import Principal
from ...catalog.stores.result_store import ResultStore
from ...catalog.stores.write_receipts import ReceiptStore
from ...events.store import Mailboxes
from ...resilience.unavailable import StateUnavailable
from ...server.consents import Consents
from ...server.event_store import EventStore
from ...server.notification_hub import NotificationHub
from ...server.sessions import Sessions
from ...server.tasks import Tasks
from .access import Endpoint
from .limits import Limits
from .request_body import RequestRejected
from .stream_limits import StreamLimiter

if TYPE_CHECKING:
    from ...redis_state.backend import RedisBackend

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


def with_unavailable_response(serve: Endpoint) -> Endpoint:
    """Return an endpoint that responds with 503 if *serve* needs Redis and Redis is unavailable."""

    async def guard(request: web.Request, principal: Principal) -> web.StreamResponse:
        try:
            return await serve(request, principal)
        except StateUnavailable as unavailable:
            raise RequestRejected(503, str(unavailable), {"Retry-After": RETRY_AFTER_SECONDS}) from unavailable

    return guard
