"""Typed keys of what the application and a request hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from ...api import Doit
from ...auth.ended_logins import EndedLogins
from ...auth.failed_attempts import SharedVerifiedTokens
from ...auth.principal import Principal
from ...observability.metrics import Metrics
from ...protocol.jsonrpc import Id
from ...protocol.request_metadata import Caller
from ...resilience.limits import SharedLimiter
from ...server.credential_expiry import StreamLeases
from ...server.event_store import EventStore
from ...server.message_endpoint import MessageEndpoint
from ...server.request_context import Catalog, ProgressCallback, Services
from ...server.request_runner import RequestRunner
from ...server.sessions import Sessions
from ...settings import Settings
from .body_memory import BodyMemory
from .catalog_selection import CatalogSelector
from .connection_limits import ConnectionLimits
from .keepalive import Keepalive
from .stream_limits import StreamLimiter


class PrincipalApiFactory(Protocol):
    """How the calls of a caller reach the DoiT API."""

    def __call__(
        self, principal: Principal, name: str, caller: Caller, report: ProgressCallback, seconds: float
    ) -> Doit:
        """The API for one call, as this principal, which may take so many seconds."""


class CallerAuthenticator(Protocol):
    """Says who is calling: :class:`doit_mcp.auth.authenticator.Authenticator`, or whoever stands in for it."""

    def cached_principal(self, header: str) -> Principal | None:
        """The caller with this Authorization header, if let in before."""

    async def authenticate(self, headers: Sequence[str], address: str = "") -> Principal:
        """The caller with these Authorization headers. Raises AuthError."""


SETTINGS = web.AppKey("settings", Settings)
# Host names that this server answers to, and web origins that may call it; asked with every request.
ALLOWED_HOSTS: web.AppKey[frozenset[str]] = web.AppKey("hosts")
ALLOWED_ORIGINS: web.AppKey[frozenset[str]] = web.AppKey("origins")
AUTHENTICATOR: web.AppKey[CallerAuthenticator] = web.AppKey("authenticator")
API_FACTORY: web.AppKey[PrincipalApiFactory] = web.AppKey("connector")
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
BODY_MEMORY = web.AppKey("bodies", BodyMemory)
CONNECTION_LIMITS = web.AppKey("edge", ConnectionLimits)
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions")
# What strangers tried at other replicas, where there are any.
SHARED_ATTEMPTS: web.AppKey[SharedLimiter | None] = web.AppKey("tries")
# Tokens that were proven at other replicas.
SHARED_VERIFIED_TOKENS: web.AppKey[SharedVerifiedTokens | None] = web.AppKey("proven")
STREAM_LIMITER = web.AppKey("streams", StreamLimiter)
STREAM_LEASES = web.AppKey("leases", StreamLeases)
ENDED_LOGINS = web.AppKey("ended", EndedLogins)
KEEPALIVE = web.AppKey("ticker", Keepalive)
EVENT_STORE: web.AppKey[EventStore] = web.AppKey("replays")
SERVICES = web.AppKey("shared", Services)
REQUEST_RUNNER = web.AppKey("work", RequestRunner)
MESSAGE_ENDPOINT = web.AppKey("endpoint", MessageEndpoint)
CATALOG_SELECTOR = web.AppKey("offers", CatalogSelector)
DRAINING = web.AppKey("draining", asyncio.Event)
# Whether tokens can be checked: the identity provider's keys were had.
IS_READY: web.AppKey[Callable[[], bool]] = web.AppKey("ready")

CATALOG = web.RequestKey("offer", Catalog)
# That of the request in the body, once it was read.
REQUEST_ID: web.RequestKey[Id] = web.RequestKey("id")
