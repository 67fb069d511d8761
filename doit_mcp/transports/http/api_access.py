"""From a verified caller to the DoiT API: the caller's token is exchanged, never passed on (security X1)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from ...api import Doit
from ...api.errors import CredentialError
from ...api.http import Upstream
from ...auth.authentication import Auth
from ...auth.errors import UpstreamCredentialError
from ...auth.principal import Principal
from ...observability.trace import CURRENT
from ...protocol.request_metadata import Caller
from ...server.api_client import connect
from ...server.credential_expiry import NEVER, Lease
from ...server.request_context import ActFor, Connect, Report
from ...server.sessions import Session
from . import app_keys
from .app_keys import ConnectFor


def connector(upstream: Upstream, auth: Auth, console: Upstream | None = None) -> ConnectFor:
    """How each caller's calls reach the API, and DoiT's console."""

    def connect_for(principal: Principal, name: str, caller: Caller, report: Report, seconds: float) -> Doit:
        credential = auth.credential(principal)

        async def give(*, fresh: bool = False) -> str:
            try:
                return await credential(fresh=fresh)
            except UpstreamCredentialError as error:
                raise CredentialError(error.kind, str(error), error.retry_after) from error

        who, tenant = principal.requester, principal.customer
        return connect(upstream, give, tenant, name, caller, report, seconds, console=console, requester=who)

    return connect_for


def lease_of(app: web.Application, principal: Principal) -> Lease:
    """How long a stream of *principal* may go on. An API token has no end of its own; it is refused one day."""
    return app[app_keys.LEASES].lease(principal.digest, expiry(principal))


def expiry(principal: Principal) -> float:
    """When the credential of *principal* ends by itself, in epoch seconds."""
    return principal.expires if principal.kind == "jwt" else NEVER


# How a request reaches DoiT as one customer; for employees alone, as any other; and that one customer.
Ways = tuple[Connect, ActFor | None, str]


def ways(connect_for: ConnectFor, principal: Principal, session: Session | None) -> Ways:
    """The ways of a request of *principal*, as the customer of the token or the one that an employee chose in
    *session*."""
    if not principal.employee:
        return partial(connect_for, principal), None, principal.tenant

    def act_for(customer: str) -> Connect:
        return partial(connect_for, principal.acting_for(customer))

    if session is None or not session.customer:
        return partial(connect_for, principal), act_for, principal.tenant
    if (trace := CURRENT.get()) is not None:
        trace.customer = session.customer
    return act_for(session.customer), act_for, session.customer
