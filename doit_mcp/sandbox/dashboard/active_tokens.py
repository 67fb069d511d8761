"""Active tokens of the sandbox, recorded from token responses and shown as fingerprints."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from ..identity import IdentityProvider
from ..identity.tokens import REFRESH_LIFETIME_SECONDS
from ..identity.ttl_store import hash_secret
from .calls import redact

TokenKind = Literal["access", "refresh", "exchanged"]
JsonObject = dict[str, Any]

MAX_TOKENS = 100
FINGERPRINT_LENGTH = 8  # characters of the hash; enough to tell tokens apart, but useless as a credential


def fingerprint(token: str) -> str:
    """The start of the hash of *token*, which identifies it without revealing it."""
    return hash_secret(token)[:FINGERPRINT_LENGTH]


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """A token as the dashboard shows it; *expires* is in epoch seconds."""

    fingerprint: str
    kind: TokenKind
    user: str
    customer: str
    client: str
    scope: str
    expires: float


@dataclass(frozen=True, slots=True)
class _TrackedToken:
    token: TokenSummary
    flow: str
    is_valid: Callable[[], bool]


class TokenTracker:
    """The latest tokens that *identity* issued over HTTP, and the names of its clients."""

    def __init__(self, identity: IdentityProvider, clock: Callable[[], float], limit: int = MAX_TOKENS) -> None:
        self._identity = identity
        self._clock = clock
        self._limit = limit
        self._tracked: OrderedDict[str, _TrackedToken] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()

    @property
    def clients(self) -> OrderedDict[str, str]:
        """Client names by id, of clients that registered over HTTP."""
        return self._names

    def track_client(self, response: JsonObject) -> str:
        """Record the client registered by this response; returns its name."""
        name = redact(str(response.get("client_name") or "an unnamed application"))
        self._names[str(response.get("client_id"))] = name
        while len(self._names) > self._limit:
            self._names.popitem(last=False)
        return name

    def track_tokens(self, response: JsonObject) -> tuple[TokenSummary | None, str]:
        """Record the tokens of a token response; returns the access token, if it is valid, and its origin."""
        token = response.get("access_token")
        if not isinstance(token, str):
            return None, ""
        if "issued_token_type" in response:
            return self._track_exchanged(token, float(response.get("expires_in", 0))), "token exchange"
        claims = self._identity.signing.read_claims(token)
        return (None, "") if claims is None else self._track_sign_in(token, claims, response.get("refresh_token"))

    def _track_exchanged(self, token: str, lifetime: float) -> TokenSummary | None:
        grant = self._identity.lookup(token)
        if grant is None:
            return None
        expires = self._clock() + lifetime
        summary = TokenSummary(
            fingerprint(token), "exchanged", grant.user.email, grant.customer, "MCP server", "", expires
        )
        # Only the provider knows whether a token was revoked, and it needs the token for that: it is kept but never
        # shown.
        lookup = partial(self._identity.lookup, token)
        self._store(hash_secret(token), _TrackedToken(summary, "", lambda: lookup() is not None))
        return summary

    def _track_sign_in(self, token: str, claims: JsonObject, refresh: object) -> tuple[TokenSummary, str]:
        flow = str(claims.get("flow_id", ""))
        is_known_flow = any(tracked.flow == flow for tracked in self._tracked.values())
        summary = self._summarize(token, "access", claims, float(claims.get("exp", 0)))
        self._store(hash_secret(token), _TrackedToken(summary, flow, lambda: not self._identity.is_revoked(claims)))
        if isinstance(refresh, str):
            self._track_refresh(refresh, flow, claims)
        return summary, "refreshed" if is_known_flow else "signed in"

    def _track_refresh(self, token: str, flow: str, claims: JsonObject) -> None:
        previous_keys = [
            key for key, tracked in self._tracked.items() if tracked.flow == flow and tracked.token.kind == "refresh"
        ]
        for key in previous_keys:
            del self._tracked[key]
        summary = self._summarize(token, "refresh", claims, self._clock() + REFRESH_LIFETIME_SECONDS)
        # A refresh token outlives its access token, but not its flow.
        flow_claims = {"flow_id": flow}
        self._store(
            hash_secret(token), _TrackedToken(summary, flow, lambda: not self._identity.is_revoked(flow_claims))
        )

    def _summarize(self, token: str, kind: TokenKind, claims: JsonObject, expires: float) -> TokenSummary:
        client = str(claims.get("cid", ""))
        return TokenSummary(
            fingerprint(token),
            kind,
            str(claims.get("sub", "")),
            str(claims.get("customer_context", "")),
            self._names.get(client) or (redact(client) if ":" in client else client[:FINGERPRINT_LENGTH] + "\u2026"),
            str(claims.get("scope", "")),
            expires,
        )

    def _store(self, key: str, tracked: _TrackedToken) -> None:
        self._tracked[key] = tracked
        self._tracked.move_to_end(key)
        while len(self._tracked) > self._limit:
            self._tracked.popitem(last=False)

    def active_tokens(self) -> list[JsonObject]:
        """The valid tokens, newest first."""
        now = self._clock()
        for key in [
            key for key, tracked in self._tracked.items() if tracked.token.expires <= now or not tracked.is_valid()
        ]:
            del self._tracked[key]
        return [asdict(tracked.token) for tracked in reversed(self._tracked.values())]
