"""Access and refresh tokens: issuance, rotation with a grace period, flows, revocation."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory
from .models import SCOPES, Approval, Client, JsonObject
from .resource_indicators import ResourceIndicators
from .responses import OAuthError
from .signing import SigningKeys
from .ttl_store import TtlStore, hash_secret

REFRESH_LIFETIME_SECONDS = 30 * 86_400.0
GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token of a flow; after its use, also the time, the request, and the response for a retry."""

    flow_id: str
    used_at: float | None = None
    requested: tuple[str | None, str | None] = (None, None)
    response: JsonObject = field(default_factory=dict, repr=False)
    expires: float = 0.0


def _invalid_grant_error(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)


def narrow_scopes(granted: tuple[str, ...], scope: str | None) -> tuple[str, ...]:
    """The scopes of a refreshed token: all granted ones, or the requested subset (RFC 6749 6).

    Unknown scopes are ignored, as at the authorization endpoint. Raises OAuthError.
    """
    if scope is None:
        return granted
    requested = [item for item in SCOPES if item in scope.split()]
    if not requested or not set(requested) <= set(granted):
        raise OAuthError("invalid_scope", "The requested scope exceeds the granted one.")
    return tuple(requested)


class TokenIssuer:
    """Tokens of all flows. A flow is everything issued for one approval; its id is the claim ``flow_id``."""

    def __init__(
        self,
        issuer: str,
        signing: SigningKeys,
        resources: ResourceIndicators,
        clock: Callable[[], float],
        *,
        ttl: float,
        directory: AccountDirectory = DEFAULT_DIRECTORY,
        token: Callable[[], str] = secrets.token_urlsafe,
        limit: int = 20_000,
    ) -> None:
        self._directory = directory
        self._issuer = issuer
        self._signing = signing
        self._resources = resources
        self._clock = clock
        self._ttl = ttl
        self._token = token
        self._flows: TtlStore[Approval] = TtlStore(limit, clock)
        self._refresh: TtlStore[RefreshToken] = TtlStore(2 * limit, clock)
        self._revoked: TtlStore[bool] = TtlStore(2 * limit, clock)

    def make_claims(
        self, approval: Approval, scopes: tuple[str, ...], audience: str, flow_id: str, ttl: float
    ) -> JsonObject:
        """The claims of an access token, as the MCP server expects them from DoiT's provider."""
        now = self._clock()
        user = self._directory.user_by_email(approval.email)
        return {
            "iss": self._issuer,
            "aud": audience,
            "sub": approval.email,
            "iat": int(now),
            "exp": math.ceil(now + ttl),
            "scope": " ".join(scopes),
            "customer_context": approval.customer,
            "cid": approval.client_id,
            "flow_id": flow_id,
            "jti": self._token(),
            **({"doit_employee": True} if user is not None and user.employee else {}),
        }

    def start_flow(self, approval: Approval, resource: str | None) -> tuple[str, JsonObject]:
        """Start a flow; returns its id and the token response (RFC 6749 5.1). Raises OAuthError (invalid_target)."""
        audience = self._resources.resolve_audience(approval.resource, resource)
        flow_id = self._token()
        response, _ = self._issue(approval, approval.scopes, audience, flow_id)
        return flow_id, response

    def refresh(self, client: Client, token: str, scope: str | None, resource: str | None) -> JsonObject:
        """Rotate a refresh token: returns a new access and refresh token. Raises OAuthError.

        An identical retry within 60 s gets the same tokens, because the first response may have been lost. A later
        reuse means that the token has leaked, and ends the flow.
        """
        key = hash_secret(token)
        refresh_token = self._refresh.get(key)
        approval = self._flows.get(refresh_token.flow_id) if refresh_token else None
        if refresh_token is None or approval is None or self._revoked.get(refresh_token.flow_id):
            raise _invalid_grant_error("The refresh token is unknown, expired or revoked.")
        if approval.client_id != client.id:
            raise _invalid_grant_error("The refresh token was issued to another client.")
        if refresh_token.used_at is not None:
            return self._retry(refresh_token, scope, resource)
        audience = self._resources.resolve_audience(approval.resource, resource)
        response, expires = self._issue(
            approval, narrow_scopes(approval.scopes, scope), audience, refresh_token.flow_id
        )
        used_token = replace(
            refresh_token, used_at=self._clock(), requested=(scope, resource), response=response, expires=expires
        )
        self._refresh.replace(key, used_token)
        return response

    def _retry(self, used: RefreshToken, scope: str | None, resource: str | None) -> JsonObject:
        now = self._clock()
        if used.used_at is None or now - used.used_at > GRACE_SECONDS:
            self.revoke_flow(used.flow_id)
            raise _invalid_grant_error("The refresh token was used before; all tokens of its flow are revoked.")
        if used.requested != (scope, resource) or used.expires <= now:
            raise _invalid_grant_error("The refresh token was used before.")
        return {**used.response, "expires_in": int(used.expires - now)}

    def _issue(
        self, approval: Approval, scopes: tuple[str, ...], audience: str, flow_id: str
    ) -> tuple[JsonObject, float]:
        claims = self.make_claims(approval, scopes, audience, flow_id, self._ttl)
        response: JsonObject = {
            "access_token": self._signing.sign(claims),
            "token_type": "Bearer",
            "expires_in": int(self._ttl),
            "scope": " ".join(scopes),
        }
        if "offline_access" in approval.scopes:
            response["refresh_token"] = refresh_token = self._token()
            self._refresh.put(hash_secret(refresh_token), RefreshToken(flow_id), REFRESH_LIFETIME_SECONDS)
            self._flows.put(flow_id, approval, REFRESH_LIFETIME_SECONDS)
        return response, float(claims["exp"])

    def read_claims(self, token: str, *, allow_revoked: bool = False) -> JsonObject | None:
        """The claims of an unexpired access token of this provider; None for a revoked one unless *allow_revoked*."""
        claims = self._signing.read_claims(token)
        if claims is None or claims.get("iss") != self._issuer:
            return None
        expires = claims.get("exp")
        if not isinstance(expires, (int, float)) or expires <= self._clock():
            return None
        return claims if allow_revoked or not self.is_revoked(claims) else None

    def is_revoked(self, claims: JsonObject) -> bool:
        """Whether the token with these claims, or its whole flow, was revoked."""
        identifiers = (claims.get(name) for name in ("flow_id", "jti"))
        return any(self._revoked.get(item) for item in identifiers if isinstance(item, str))

    def revoke_flow(self, flow_id: str) -> None:
        """End a flow: its refresh tokens and access tokens become invalid."""
        self._flows.pop(flow_id)
        self._revoked.put(flow_id, True, REFRESH_LIFETIME_SECONDS)

    def revoke(self, client: Client, token: str) -> None:
        """Revoke a token (RFC 7009): a refresh token with its flow, an access token alone; unknown tokens are ignored.

        Raises OAuthError (invalid_grant) for a token of another client.
        """
        refresh_token = self._refresh.get(hash_secret(token))
        approval = self._flows.get(refresh_token.flow_id) if refresh_token else None
        claims = self.read_claims(token) if refresh_token is None else None
        owner = approval.client_id if approval else str(claims["cid"]) if claims and "cid" in claims else client.id
        if owner != client.id:
            raise _invalid_grant_error("The token was issued to another client.")
        if refresh_token is not None:
            self.revoke_flow(refresh_token.flow_id)
        elif claims is not None and isinstance(claims.get("jti"), str):
            self._revoked.put(claims["jti"], True, REFRESH_LIFETIME_SECONDS)
