"""Typed keys of what the application and a request hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from ...api import Doit
from ...auth.ended_logins import Ended
from ...auth.failed_attempts import SharedProven, SharedTries
from ...auth.principal import Principal
from ...observability.metrics import Metrics
from ...protocol.jsonrpc import Id
from ...protocol.request_metadata import Caller
from ...server.credential_expiry import Leases
from ...server.event_store import Replays
from ...server.request_context import Offer, Report, Shared
from ...server.request_runner import Work
from ...server.sessions import Sessions
from ...settings import Settings
from .body_memory import Bodies
from .catalog_selection import Offers
from .connection_limits import Edge
from .keepalive import Ticker
from .stream_limits import Streams


class ConnectFor(Protocol):
    """How the calls of a caller reach the DoiT API."""

    def __call__(self, principal: Principal, name: str, caller: Caller, report: Report, seconds: float) -> Doit:
        """The API for one call, as this principal, which may take so many seconds."""


class Doorman(Protocol):
    """Says who is calling: :class:`doit_mcp.auth.authenticator.Authenticator`, or whoever stands in for it."""

    def remembered(self, header: str) -> Principal | None:
        """The caller with this Authorization header, if let in before."""

    async def authenticate(self, values: Sequence[str], address: str = "") -> Principal:
        """The caller with these Authorization headers. Raises AuthError."""


SETTINGS = web.AppKey("settings", Settings)
# Host names that this server answers to, and web origins that may call it; asked with every request.
HOSTS: web.AppKey[frozenset[str]] = web.AppKey("hosts")
ORIGINS: web.AppKey[frozenset[str]] = web.AppKey("origins")
AUTHENTICATOR: web.AppKey[Doorman] = web.AppKey("authenticator")
CONNECTOR: web.AppKey[ConnectFor] = web.AppKey("connector")
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
BODIES = web.AppKey("bodies", Bodies)
EDGE = web.AppKey("edge", Edge)
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions")
# What strangers tried at other replicas, where there are any.
TRIES: web.AppKey[SharedTries | None] = web.AppKey("tries")
# Tokens that were proven at other replicas.
PROVEN: web.AppKey[SharedProven | None] = web.AppKey("proven")
STREAMS = web.AppKey("streams", Streams)
LEASES = web.AppKey("leases", Leases)
ENDED = web.AppKey("ended", Ended)
TICKER = web.AppKey("ticker", Ticker)
REPLAYS = web.AppKey("replays", Replays)
SHARED = web.AppKey("shared", Shared)
WORK = web.AppKey("work", Work)
OFFERS = web.AppKey("offers", Offers)
DRAINING = web.AppKey("draining", asyncio.Event)
# Whether tokens can be checked: the identity provider's keys were had.
READY: web.AppKey[Callable[[], bool]] = web.AppKey("ready")

OFFER = web.RequestKey("offer", Offer)
# That of the request in the body, once it was read.
ID: web.RequestKey[Id] = web.RequestKey("id")
