"""The identity provider: wiring of its endpoints, and the interface for tests and the sandbox."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from aiohttp import web

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, Grant, User
from . import metadata
from .assertions import AssertionVerifier
from .authorize import AuthorizationReader
from .client_metadata_documents import ClientDocuments
from .clients import ClientRegistry
from .codes import AuthorizationCodes
from .consent_flow import ConsentFlow
from .exchange import TokenExchange
from .fetching import DocumentFetcher, DocumentResolver
from .models import SCOPES, Approval, JsonObject
from .registration import RegistrationEndpoint
from .resource_indicators import ResourceIndicators
from .responses import Handler, respond_to_preflight, with_error_responses
from .signing import SigningKeys
from .token_endpoint import TokenEndpoint
from .tokens import TokenIssuer


class IdentityProvider:
    """An OAuth 2.1 authorization server at *issuer* (no trailing slash) for the MCP server at *resource_url*, which
    also has the base URLs *resource_aliases*.

    *secret* authenticates token exchanges. *auto_approve* is the email address of a user who approves every request
    without a page, for clients without a browser; *resolver* fetches client metadata documents that are not bundled;
    *directory* lists the users. `auto_approve` and `down` can be changed at any time; while *down*, the key set and the
    token and revocation endpoints return 503. `request_counts` counts requests: "jwks", and token requests by grant
    type.
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
        resolver: DocumentResolver | None = None,
        directory: AccountDirectory = DEFAULT_DIRECTORY,
        resource_aliases: Sequence[str] = (),
    ) -> None:
        if auto_approve is not None and directory.user_by_email(auto_approve) is None:
            raise ValueError(f"auto_approve is not a sandbox user: {auto_approve}")
        self.issuer = issuer.rstrip("/")
        self.directory = directory
        self.down = False
        self.auto_approve = auto_approve
        self.request_counts: Counter[str] = Counter()
        self.signing = SigningKeys()
        self._clock = clock
        self._ttl = access_ttl
        self._resources = ResourceIndicators((resource_url, *resource_aliases))
        assertions = AssertionVerifier({self.token_endpoint, self.issuer}, clock)
        self._tokens = TokenIssuer(
            self.issuer, self.signing, self._resources, clock, ttl=access_ttl, directory=directory
        )
        # The token exchange accepts only the endpoint itself as audience.
        exchange_assertions = AssertionVerifier({self.token_endpoint}, clock, require_issued_at=True)
        self._exchange = TokenExchange(
            secret, self._tokens, exchange_assertions, clock, ttl=exchanged_ttl, directory=directory
        )
        self._codes = AuthorizationCodes(clock, self._tokens.revoke_flow)
        self._clients = ClientRegistry(ClientDocuments(resolver or DocumentFetcher(clock=clock)), assertions)

    @property
    def token_endpoint(self) -> str:
        """The URL of the token endpoint."""
        return self.issuer + metadata.TOKEN_PATH

    @property
    def home(self) -> str:
        """The address of the MCP server's own page."""
        return f"{self._resources.base}/"

    def register(self, app: web.Application) -> None:
        """Add every endpoint and page to *app*."""
        metadata.register(app, self.issuer, self.signing, self._check_keys_available)
        endpoint = TokenEndpoint(
            self._clients,
            self._codes,
            self._tokens,
            self._exchange,
            check_available=self._check_available,
            request_counts=self.request_counts,
        )
        posts: dict[str, Handler] = {
            metadata.TOKEN_PATH: endpoint.token,
            metadata.REVOKE_PATH: endpoint.revoke,
            metadata.REGISTER_PATH: RegistrationEndpoint(self._clients, self._clock),
        }
        for path, handler in posts.items():
            app.router.add_post(path, with_error_responses(handler))
            app.router.add_route("OPTIONS", path, respond_to_preflight)
        authorize = AuthorizationReader(self.issuer, self._clients, self._resources)
        ConsentFlow(
            authorize,
            self._clients,
            self._codes,
            self._clock,
            auto_approve=lambda: self.auto_approve,
            secure=self.issuer.startswith("https:"),
            home=self.home,
            directory=self.directory,
        ).register(app)

    def _check_available(self) -> None:
        if self.down:
            raise metadata.unavailable_error()

    def _check_keys_available(self) -> None:
        self.request_counts["jwks"] += 1
        self._check_available()

    def check_resources_with(self, find_problem: Callable[[str], str]) -> None:
        """Issue tokens only for endpoints for which *find_problem* returns "". It is called with path and query, and
        returns why the endpoint does not exist.
        """
        self._resources.find_problem = find_problem

    def rotate_keys(self, *, keep: bool = False) -> None:
        """Sign with a new key from now on; tokens signed with the former key become invalid unless *keep*."""
        self.signing.rotate(keep=keep)

    def lookup(self, token: str) -> Grant | None:
        """The grant of a bearer token at the DoiT API: a user's API token or an unexpired exchanged token, else None."""
        return self._exchange.lookup(token)

    def is_revoked(self, claims: JsonObject) -> bool:
        """Whether the access token with these claims, or its whole flow, was revoked."""
        return self._tokens.is_revoked(claims)

    def end_login(self, token: str) -> None:
        """Revoke the whole login behind an access token, as users can in DoiT's console."""
        claims = self.signing.read_claims(token)
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
        """An access token like one from a sign-in of *user*: for *resource* (default: the base), valid for *ttl*
        seconds.

        *claim_overrides* replace or add claims; None removes a claim.
        """
        approval = Approval("test-client", user.email, user.customer, tuple(scope.split()), resource)
        lifetime = self._ttl if ttl is None else ttl
        audience = resource or self._resources.base
        claims = self._tokens.make_claims(approval, approval.scopes, audience, f"flow-{user.email}", lifetime)
        merged = {**claims, **claim_overrides}
        return self.signing.sign({name: value for name, value in merged.items() if value is not None})
