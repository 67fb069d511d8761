"""Connects verified principals to the DoiT API. Their tokens are exchanged, never forwarded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aiohttp import web

from ...api import Doit
from ...api.errors import CredentialError
from ...api.http import Upstream
from ...auth.authentication import Authentication
from ...auth.errors import UpstreamCredentialError
from ...auth.principal import Principal
from ...catalog.call import CUSTOMER_ARGUMENT
from ...catalog.tools.tool import ToolError
from ...events.poll_schedule import MAX_REQUEST_SECONDS
from ...events.subscriptions import Account
from ...observability.trace import CURRENT_TRACE
from ...protocol.request_metadata import Caller, Headers, make_caller
from ...protocol.revisions import NEWEST_STATEFUL_REVISION
from ...resilience.requester import Requester
from ...server.api_client import make_api_client
from ...server.credential_expiry import NEVER_EXPIRES, StreamLease
from ...server.request_context import ApiAccess, ApiFactory, ProgressCallback
from ...server.sender import Sender
from ...server.sessions import Session
from . import app_keys
from .access import sign_in_challenge
from .app_keys import PrincipalApiFactory

# The caller of requests that no client made.
EVENT_CALLER = make_caller(NEWEST_STATEFUL_REVISION, {}, {})
NO_CUSTOMER = (
    "No customer has been chosen. Call change_customer with the id of a customer, which search_customers finds, or pass"
    f" {CUSTOMER_ARGUMENT} to the call."
)
CUSTOMER_LOST = (
    "The server no longer knows which customer this session acts for, because it restarted or the session was idle."
    f" Call again with {CUSTOMER_ARGUMENT}, and pass it to every later call. If the id of the customer is unknown,"
    " search_customers finds it."
)


def make_api_factory(upstream: Upstream, auth: Authentication, console: Upstream | None = None) -> PrincipalApiFactory:
    """Return a factory of clients for the DoiT API and, with *console*, for the DoiT console."""

    def connect_for(principal: Principal, name: str, caller: Caller, report: ProgressCallback, seconds: float) -> Doit:
        credential = auth.credential(principal)

        async def get_credential(*, fresh: bool = False) -> str:
            try:
                return await credential(fresh=fresh)
            except UpstreamCredentialError as error:
                raise CredentialError(error.kind, str(error), error.retry_after) from error

        requester, tenant = principal.requester, principal.customer
        return make_api_client(
            upstream,
            get_credential,
            tenant,
            name,
            caller,
            report,
            seconds,
            console_upstream=console,
            requester=requester,
        )

    return connect_for


async def report_nothing(message: str) -> None:
    """Drop the progress of a request that no client waits for."""


def make_event_api_factory(upstream: Upstream) -> Callable[[Account], Doit]:
    """Return a factory of clients that act with a lent token only, for polls of the API for events."""

    def connect_for(account: Account) -> Doit:
        async def get_credential(*, fresh: bool = False) -> str:
            if fresh:
                raise CredentialError("refused", "The DoiT API no longer accepts the token that is used for events")
            return account.token

        requester = Requester.for_user(account.digest, account.tenant)
        return make_api_client(
            upstream,
            get_credential,
            account.customer,
            "events",
            EVENT_CALLER,
            report_nothing,
            MAX_REQUEST_SECONDS,
            requester=requester,
        )

    return connect_for


def start_stream_lease(app: web.Application, principal: Principal) -> StreamLease:
    """Start the lease that limits a stream of *principal*.

    An API token has no expiration date; its lease ends when the API rejects the token.
    """
    return app[app_keys.STREAM_LEASES].start_lease(principal.digest, credential_expiry(principal))


def credential_expiry(principal: Principal) -> float:
    """Return when the credential of *principal* expires, in epoch seconds."""
    return principal.expires if principal.kind == "jwt" else NEVER_EXPIRES


class SenderFactory:
    """Makes the senders of requests. Lookups in *app* are done once, except for values that are set later."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def make_sender(self, request: web.Request, principal: Principal, headers: Headers | None) -> Sender:
        """Return the sender of *request*. *headers*, if given, are checked against its revision."""
        return Sender(
            request[app_keys.CATALOG],
            principal.owner,
            partial(resolve_api_access, self._app[app_keys.API_FACTORY], principal),
            headers,
            principal,
            partial(sign_in_challenge, request),
        )


def refuse_without_customer(reason: str, name: str, caller: Caller, report: ProgressCallback, seconds: float) -> Doit:
    """Raise ToolError with the *reason* why no customer is known that the employee acts for."""
    raise ToolError(reason)


def resolve_api_access(connect_for: PrincipalApiFactory, principal: Principal, session: Session | None) -> ApiAccess:
    """Return the API access of *principal*, for the customer of the token or the one an employee chose in *session*.

    In a revived session, an employee acts only for customers that a call names.

    The tuple holds the factory of API clients, for employees the function that switches to another customer, and the
    customer's ID.
    """
    if not principal.employee:
        return partial(connect_for, principal), None, principal.tenant

    def api_for_customer(customer: str) -> ApiFactory:
        return partial(connect_for, principal.for_customer(customer))

    if session is not None and session.is_revived:
        return partial(refuse_without_customer, CUSTOMER_LOST), api_for_customer, ""
    if not principal.tenant and (session is None or not session.customer):
        return partial(refuse_without_customer, NO_CUSTOMER), api_for_customer, ""
    if session is None or not session.customer:
        return partial(connect_for, principal), api_for_customer, principal.tenant
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.customer = session.customer
    return api_for_customer(session.customer), api_for_customer, session.customer
