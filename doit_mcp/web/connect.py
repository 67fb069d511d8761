"""From a verified caller to the DoiT API: the caller's token is exchanged, never passed on (security X1)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from ..auth.errors import UpstreamCredentialError
from ..auth.gate import Auth
from ..auth.principal import Principal
from ..doit import Doit
from ..doit.errors import CredentialError
from ..doit.upstream import Upstream
from ..protocol.inbound import Caller
from ..server.connect import connect
from ..server.context import ActFor, Connect, Report
from ..server.leases import NEVER, Lease
from ..server.sessions import Session
from ..trace import CURRENT
from . import keys
from .keys import ConnectFor


def connector(upstream: Upstream, auth: Auth, console: Upstream | None = None) -> ConnectFor:
    """How each caller's calls reach the API, and DoiT's console."""

    def connect_for(principal: Principal, name: str, caller: Caller, report: Report, seconds: float) -> Doit:
        credential = auth.credential(principal)

        async def give(*, fresh: bool = False) -> str:
            try:
                return await credential(fresh=fresh)
            except UpstreamCredentialError as error:
                raise CredentialError(error.kind, str(error), error.retry_after) from error

        return connect(upstream, give, principal.customer, name, caller, report, seconds, console=console)

    return connect_for


def customer_of(principal: Principal, session: Session | None) -> str:
    """The customer that a request of *principal* acts for: that of the token, or the one that an employee chose."""
    chosen = session.customer if principal.employee and session is not None else ""
    return chosen or principal.customer


def lease_of(app: web.Application, principal: Principal) -> Lease:
    """How long a stream of *principal* may go on. An API token has no end of its own; it is refused one day."""
    return app[keys.LEASES].lease(principal.digest, expiry(principal))


def expiry(principal: Principal) -> float:
    """When the credential of *principal* ends by itself, in epoch seconds."""
    return principal.expires if principal.kind == "jwt" else NEVER


def ways(connect_for: ConnectFor, principal: Principal, session: Session | None) -> tuple[Connect, ActFor | None]:
    """How a request of *principal* reaches DoiT, as the customer of the token or the one that an employee chose in
    *session*; and, for employees alone, how it does for any other customer."""
    if not principal.employee:
        return partial(connect_for, principal), None

    def act_for(customer: str) -> Connect:
        return partial(connect_for, principal.acting_for(customer))

    customer = customer_of(principal, session)
    if customer == principal.customer:
        return partial(connect_for, principal), act_for
    if (trace := CURRENT.get()) is not None:
        trace.customer = customer
    return act_for(customer), act_for
