"""Owns the identity provider as a whole: wires its parts, and is what tests and the sandbox hold in their hands."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from ..accounts import NAMED, Grant, People, User
from . import metadata
from .assertions import Assertions
from .authorize import Authorize
from .client_metadata_documents import Documents
from .clients import Clients
from .codes import Codes
from .consent_flow import Interaction
from .exchange import Exchange
from .fetching import Fetcher, Resolver
from .models import SCOPES, Approval, JsonObject
from .registration import Registration
from .resource_indicators import Resources
from .responses import Handler, for_programs, preflight
from .signing import Signing
from .token_endpoint import TokenEndpoint
from .tokens import Tokens


class Identity:
    """An OAuth 2.1 authorization server at *issuer* (no trailing slash) for the MCP server at *resource_url*.

    *secret* is the one of the token exchange. *auto_approve* is the e-mail address of a user who allows everything
    without a page, for clients that run without a person; *resolver* fetches client metadata documents that are not
    recorded; *people* are those who can sign in. `auto_approve` and `down` may be changed at any time; while *down*,
    the key set, the token and the revocation endpoint answer 503. `served` counts requests: "jwks", and token requests
    by grant type.
    """

    def __init__(
        self,
        issuer: str,
        resource_url: str,
        secret: str,
        *,
        clock: Callable[[], float] = time.time,
        access_ttl: float = 3600,
        exchanged_ttl: float = 3600,
        auto_approve: str | None = None,
        resolver: Resolver | None = None,
        people: People = NAMED,
    ) -> None:
        if auto_approve is not None and people.user(auto_approve) is None:
            raise ValueError(f"auto_approve names nobody who lives in the sandbox: {auto_approve}")
        self.issuer = issuer.rstrip("/")
        self.people = people
        self.down = False
        self.auto_approve = auto_approve
        self.served: Counter[str] = Counter()
        self.signing = Signing()
        self._clock = clock
        self._ttl = access_ttl
        self._resources = Resources(resource_url)
        assertions = Assertions({self.token_endpoint, self.issuer}, clock)
        self._tokens = Tokens(self.issuer, self.signing, self._resources, clock, ttl=access_ttl, people=people)
        # The exchange wants the endpoint itself for an audience, and nothing else.
        exchange_assertions = Assertions({self.token_endpoint}, clock, dated=True)
        self._exchange = Exchange(secret, self._tokens, exchange_assertions, clock, ttl=exchanged_ttl, people=people)
        self._codes = Codes(clock, self._tokens.revoke_flow)
        self._clients = Clients(Documents(resolver or Fetcher(clock=clock)), assertions)

    @property
    def token_endpoint(self) -> str:
        """The URL of the token endpoint."""
        return self.issuer + metadata.TOKEN

    def register(self, app: web.Application) -> None:
        """Add every endpoint and page to *app*."""
        metadata.register(app, self.issuer, self.signing, self._keys_up)
        endpoint = TokenEndpoint(
            self._clients, self._codes, self._tokens, self._exchange, up=self._up, served=self.served
        )
        posts: dict[str, Handler] = {
            metadata.TOKEN: endpoint.token,
            metadata.REVOKE: endpoint.revoke,
            metadata.REGISTER: Registration(self._clients, self._clock),
        }
        for path, handler in posts.items():
            app.router.add_post(path, for_programs(handler))
            app.router.add_route("OPTIONS", path, preflight)
        authorize = Authorize(self.issuer, self._clients, self._resources)
        Interaction(
            authorize,
            self._clients,
            self._codes,
            self._clock,
            auto=lambda: self.auto_approve,
            secure=self.issuer.startswith("https:"),
            people=self.people,
        ).register(app)

    def _up(self) -> None:
        if self.down:
            raise metadata.unavailable()

    def _keys_up(self) -> None:
        self.served["jwks"] += 1
        self._up()

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with a new key from now on; tokens of the former one are worthless unless *keep*."""
        self.signing.rotate(keep=keep)

    def lookup(self, token: str) -> Grant | None:
        """What a bearer stands for at the DoiT API: a user's API token or an unexpired exchanged token, else None."""
        return self._exchange.lookup(token)

    def revoked(self, claims: JsonObject) -> bool:
        """Whether the access token with these claims, or its whole flow, was revoked."""
        return self._tokens.is_revoked(claims)

    def end_login(self, token: str) -> None:
        """Revoke the whole login that an access token came of, as its user can at DoiT's console."""
        claims = self.signing.read(token)
        if claims is None:
            raise ValueError("not an access token of this provider")
        self._tokens.revoke_flow(str(claims["flow_id"]))

    def mint(
        self,
        user: User,
        *,
        resource: str | None = None,
        scope: str = " ".join(SCOPES),
        ttl: float | None = None,
        **claim_overrides: object,
    ) -> str:
        """An access token as a sign-in of *user* would give: for *resource* (default: the base), *ttl* seconds.

        *claim_overrides* replace claims or add some; None leaves a claim out.
        """
        approval = Approval("test-client", user.email, user.customer, tuple(scope.split()), resource)
        life = self._ttl if ttl is None else ttl
        audience = resource or self._resources.base
        claims = self._tokens.claims(approval, approval.scopes, audience, f"flow-{user.email}", life)
        wanted = {**claims, **claim_overrides}
        return self.signing.sign({name: value for name, value in wanted.items() if value is not None})
