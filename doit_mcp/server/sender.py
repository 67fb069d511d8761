"""The sender of a payload, from which the context of each of its requests is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..protocol.request_metadata import Caller, Headers
from .credential_expiry import StreamLease
from .request_context import Actor, ApiAccess, AuthChallengeFactory, Catalog, Channel, RequestContext, Services
from .sessions import Session


class Sender(NamedTuple):
    """What a transport knows about the client that sent a payload.

    *owner* is the key of the client's principal. *resolve_api* returns the API access for a session. *headers* are
    those of the HTTP request, if arguments have to be checked against them.
    """

    catalog: Catalog
    owner: str
    resolve_api: Callable[[Session | None], ApiAccess]
    headers: Headers | None = None
    actor: Actor | None = None
    make_auth_challenge: AuthChallengeFactory | None = None

    def make_context(
        self,
        caller: Caller,
        channel: Channel,
        services: Services,
        session: Session | None,
        lease: StreamLease | None = None,
    ) -> RequestContext:
        """Return the context of a request."""
        catalog, owner, resolve_api, headers, actor, make_auth_challenge = self
        api_factory, customer_api_factory, tenant = resolve_api(session)
        return RequestContext(
            catalog,
            caller,
            owner,
            api_factory,
            channel,
            services,
            session,
            headers,
            customer_api_factory,
            actor,
            make_auth_challenge,
            lease,
            tenant,
        )
