"""Token exchange (RFC 8693), and the bearer tokens of the DoiT API: API tokens and exchanged tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, Grant
from .assertions import AssertionVerifier
from .models import JWT_BEARER_ASSERTION, JsonObject
from .responses import OAuthError, required_parameter
from .tokens import TokenIssuer
from .ttl_store import TtlStore, hash_secret

ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
CLIENT_ID = "mcp.doit.com"
AUDIENCE = "cmp"


@dataclass(frozen=True, slots=True)
class ExchangedToken:
    """The grant of an exchanged token, and the claims of its subject token."""

    grant: Grant
    claims: JsonObject


class TokenExchange:
    """Exchanges the MCP server's access tokens for tokens of the DoiT API. *ttl* is their lifetime in seconds."""

    def __init__(
        self,
        secret: str,
        tokens: TokenIssuer,
        assertions: AssertionVerifier,
        clock: Callable[[], float],
        *,
        ttl: float,
        directory: AccountDirectory = DEFAULT_DIRECTORY,
        token: Callable[[], str] = secrets.token_urlsafe,
        limit: int = 20_000,
    ) -> None:
        self._secret = secret
        self._tokens = tokens
        self._assertions = assertions
        self._clock = clock
        self._ttl = ttl
        self._directory = directory
        self._token = token
        self._exchanged: TtlStore[ExchangedToken] = TtlStore(limit, clock)

    def exchange(self, form: Mapping[str, str]) -> JsonObject:
        """The response to a token exchange request (RFC 8693 2.2.1); raises OAuthError."""
        fields = dict(form)
        self._check_client(fields)
        subject = required_parameter(fields, "subject_token")
        for name in ("subject_token_type", "requested_token_type"):
            if fields.get(name, ACCESS_TOKEN_TYPE if name == "requested_token_type" else "") != ACCESS_TOKEN_TYPE:
                raise OAuthError("invalid_request", f"The {name} must be {ACCESS_TOKEN_TYPE}.")
        if "actor_token" in fields:
            raise OAuthError("invalid_request", "An actor_token is not supported.")
        if fields.get("audience") != AUDIENCE:
            raise OAuthError("invalid_target", f"The audience must be {AUDIENCE}.")
        claims = self._tokens.read_claims(subject, allow_revoked=True)
        if claims is not None and self._tokens.is_revoked(claims):
            raise OAuthError("invalid_grant", "The login that issued the subject_token was revoked.")
        grant = self._grant(claims) if claims else None
        if claims is None or grant is None:
            # The code that RFC 8693 2.2.2 defines for an unacceptable subject token.
            raise OAuthError("invalid_request", "The subject_token is not a valid access token.")
        token = f"sandbox-exchanged-{self._token()}"
        lifetime = min(self._ttl, float(claims["exp"]) - self._clock())
        self._exchanged.put(hash_secret(token), ExchangedToken(grant, claims), lifetime)
        return {
            "access_token": token,
            "issued_token_type": ACCESS_TOKEN_TYPE,
            "token_type": "Bearer",
            "expires_in": int(lifetime),
        }

    def _check_client(self, form: dict[str, str]) -> None:
        if required_parameter(form, "client_id") != CLIENT_ID:
            raise OAuthError("unauthorized_client", "This client is not allowed to exchange tokens.")
        if required_parameter(form, "client_assertion_type") != JWT_BEARER_ASSERTION:
            raise OAuthError("invalid_request", "The client_assertion_type is not supported.")
        assertion = required_parameter(form, "client_assertion")
        if problem := self._assertions.find_problem(assertion, CLIENT_ID, [self._secret], ["HS256"]):
            raise OAuthError("invalid_client", f"The client assertion is invalid: {problem}.", status=401)

    def lookup(self, token: str) -> Grant | None:
        """The grant of a bearer token at the DoiT API; None for access tokens of the MCP server, which are not valid
        there.
        """
        exchanged = self._exchanged.get(hash_secret(token))
        if exchanged is not None:
            return None if self._tokens.is_revoked(exchanged.claims) else exchanged.grant
        user = self._directory.user_by_token(token)
        if user is None:
            return None
        # Each request of an employee names the customer.
        return Grant(user, "" if user.employee else user.customer)

    def _grant(self, claims: JsonObject) -> Grant | None:
        """The user and customer of an access token; None for an unknown user or a customer of another user."""
        user = self._directory.user_by_email(str(claims.get("sub", "")))
        customer = claims.get("customer_context")
        if user is None or not isinstance(customer, str):
            return None
        is_allowed = customer in ("", user.customer) or (
            user.employee and self._directory.customer_by_id(customer) is not None
        )
        return Grant(user, customer) if is_allowed else None
