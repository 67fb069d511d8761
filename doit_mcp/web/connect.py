"""From a verified caller to the DoiT API: the caller's token is exchanged, never passed on (security X1)."""

from __future__ import annotations

from ..auth.errors import UpstreamCredentialError
from ..auth.gate import Auth
from ..auth.principal import Principal
from ..doit import Doit
from ..doit.errors import CredentialError
from ..doit.upstream import Upstream
from ..protocol.inbound import Caller
from ..server.connect import connect
from ..server.context import Report
from .keys import ConnectFor


def connector(upstream: Upstream, auth: Auth) -> ConnectFor:
    """How each caller's calls reach the API."""

    def connect_for(principal: Principal, name: str, caller: Caller, report: Report, seconds: float) -> Doit:
        credential = auth.credential(principal)

        async def give(*, fresh: bool = False) -> str:
            try:
                return await credential(fresh=fresh)
            except UpstreamCredentialError as error:
                raise CredentialError(error.kind, str(error), error.retry_after) from error

        return connect(upstream, give, principal.customer, name, caller, report, seconds)

    return connect_for
