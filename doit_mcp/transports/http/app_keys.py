"""Typed keys for the values stored in the aiohttp application and in requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from aiohttp import web

from ...api import Doit
from ...auth.authentication import Authentication
from ...auth.ended_logins import EndedLogins
from ...auth.failed_attempts import SharedVerifiedTokens
from ...auth.principal import Principal
from ...auth.provider_metadata import ProviderMetadata
from ...events.subscriptions import Account
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
    """Makes the client for one principal's call to the DoiT API."""

    def __call__(
        self, principal: Principal, name: str, caller: Caller, report: ProgressCallback, seconds: float
    ) -> Doit:
        """Return the API client for one call as *principal*, which may take *seconds* seconds."""


class CallerAuthenticator(Protocol):
    """Authenticates callers: :class:`doit_mcp.auth.authenticator.Authenticator` or another implementation."""

    def cached_principal(self, header: str) -> Principal | None:
        """Return the principal of this Authorization header if it was authenticated before."""

    async def authenticate(self, headers: Sequence[str], address: str = "") -> Principal:
        """Return the principal of these Authorization headers. Raise AuthError."""


SETTINGS = web.AppKey("settings", Settings)
# Accepted Host headers, and web origins that may call the server; checked for every request.
ALLOWED_HOSTS: web.AppKey[frozenset[str]] = web.AppKey("allowed_hosts")
# Base URLs of this server, by Host header. Hosts that only DOIT_MCP_ALLOWED_HOSTS accepts are missing.
BASE_URL_BY_HOST: web.AppKey[Mapping[str, str]] = web.AppKey("base_url_by_host")
ALLOWED_ORIGINS: web.AppKey[frozenset[str]] = web.AppKey("allowed_origins")
AUTHENTICATOR: web.AppKey[CallerAuthenticator] = web.AppKey("authenticator")
PROVIDER_METADATA: web.AppKey[ProviderMetadata] = web.AppKey("provider_metadata")
API_FACTORY: web.AppKey[PrincipalApiFactory] = web.AppKey("api_factory")
# The clients that poll the DoiT API for events, and the credentials that they use.
EVENT_API_FACTORY: web.AppKey[Callable[[Account], Doit]] = web.AppKey("event_api_factory")
AUTHENTICATION = web.AppKey("authentication", Authentication)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
BODY_MEMORY = web.AppKey("body_memory", BodyMemory)
CONNECTION_LIMITS = web.AppKey("connection_limits", ConnectionLimits)
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions")
# Limits rejected tokens across replicas; None without Redis.
SHARED_ATTEMPTS: web.AppKey[SharedLimiter | None] = web.AppKey("shared_attempts")
# Tokens that other replicas verified; None without Redis.
SHARED_VERIFIED_TOKENS: web.AppKey[SharedVerifiedTokens | None] = web.AppKey("shared_verified_tokens")
STREAM_LIMITER = web.AppKey("stream_limiter", StreamLimiter)
STREAM_LEASES = web.AppKey("stream_leases", StreamLeases)
ENDED_LOGINS = web.AppKey("ended_logins", EndedLogins)
KEEPALIVE = web.AppKey("keepalive", Keepalive)
EVENT_STORE: web.AppKey[EventStore] = web.AppKey("event_store")
SERVICES = web.AppKey("services", Services)
REQUEST_RUNNER = web.AppKey("request_runner", RequestRunner)
MESSAGE_ENDPOINT = web.AppKey("message_endpoint", MessageEndpoint)
CATALOG_SELECTOR = web.AppKey("catalog_selector", CatalogSelector)
DRAINING = web.AppKey("draining", asyncio.Event)
# Whether tokens can be verified: the identity provider's keys were fetched.
IS_READY: web.AppKey[Callable[[], bool]] = web.AppKey("is_ready")
# Whether sessions are available: Redis responds, or none is used.
HAS_STATE: web.AppKey[Callable[[], bool]] = web.AppKey("has_state")

# In the sandbox: the API token of a user, for the commands that pages show.
EXAMPLE_TOKEN = web.AppKey("example_token", str)

CATALOG = web.RequestKey("catalog", Catalog)
# The ID of the JSON-RPC request in the body, once it was parsed.
REQUEST_ID: web.RequestKey[Id] = web.RequestKey("request_id")
