"""From a verified caller to the DoiT API: the caller's token is exchanged, never passed on."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from ...api import Doit
from ...api.errors import CredentialError
from ...api.http import Upstream
from ...auth.authentication import Authentication
from ...auth.errors import UpstreamCredentialError
from ...auth.principal import Principal
from ...observability.trace import CURRENT_TRACE
from ...protocol.request_metadata import Caller
from ...server.api_client import make_api_client
from ...server.credential_expiry import NEVER_EXPIRES, StreamLease
from ...server.request_context import ApiFactory, CustomerApiFactory, ProgressCallback
from ...server.sessions import Session
from . import app_keys
from .app_keys import PrincipalApiFactory


def make_api_factory(upstream: Upstream, auth: Authentication, console: Upstream | None = None) -> PrincipalApiFactory:
    """How each caller's calls reach the API, and DoiT's console."""

    def connect_for(principal: Principal, name: str, caller: Caller, report: ProgressCallback, seconds: float) -> Doit:
        credential = auth.credential(principal)

        async def give(*, fresh: bool = False) -> str:
            try:
                return await credential(fresh=fresh)
            except UpstreamCredentialError as error:
                raise CredentialError(error.kind, str(error), error.retry_after) from error

        who, tenant = principal.requester, principal.customer
        return make_api_client(
            upstream, give, tenant, name, caller, report, seconds, console_upstream=console, requester=who
        )

    return connect_for


def start_stream_lease(app: web.Application, principal: Principal) -> StreamLease:
    """How long a stream of *principal* may go on. An API token has no end of its own; it is refused one day."""
    return app[app_keys.STREAM_LEASES].start_lease(principal.digest, expiry(principal))


def expiry(principal: Principal) -> float:
    """When the credential of *principal* ends by itself, in epoch seconds."""
    return principal.expires if principal.kind == "jwt" else NEVER_EXPIRES


# How a request reaches DoiT as one customer; for employees alone, as any other; and that one customer.
ApiAccess = tuple[ApiFactory, CustomerApiFactory | None, str]


def resolve_api_access(connect_for: PrincipalApiFactory, principal: Principal, session: Session | None) -> ApiAccess:
    """The ways of a request of *principal*, as the customer of the token or the one that an employee chose in
    *session*."""
    if not principal.employee:
        return partial(connect_for, principal), None, principal.tenant

    def act_for(customer: str) -> ApiFactory:
        return partial(connect_for, principal.for_customer(customer))

    if session is None or not session.customer:
        return partial(connect_for, principal), act_for, principal.tenant
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.customer = session.customer
    return act_for(session.customer), act_for, session.customer
