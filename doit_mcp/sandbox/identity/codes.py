"""Owns authorization codes: used once, short-lived, bound to client, redirect address and challenge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from .models import Approval, AuthorizationRequest, Client
from .responses import OAuthError
from .ttl_store import TtlStore, hash_secret

LIFETIME_SECONDS = 120.0
# A used code is remembered longer than it lives, so that a late second use is still seen for what it is.
RETENTION_SECONDS = 3600.0
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code's bindings; *flow_id* names the tokens issued for it, once it is used."""

    approval: Approval
    redirect_uri: str
    redirect_uri_sent: bool
    challenge: str
    expires: float
    flow_id: str | None = None


def _invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)


def code_challenge(verifier: str) -> str:
    """The S256 challenge (RFC 7636 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class AuthorizationCodes:
    """Codes that are out. *revoke* is told the flow of a code that is used again."""

    def __init__(
        self,
        clock: Callable[[], float],
        revoke: Callable[[str], None],
        *,
        token: Callable[[], str] = secrets.token_urlsafe,
        limit: int = 10_000,
    ) -> None:
        self._clock = clock
        self._revoke = revoke
        self._token = token
        self._issued: TtlStore[IssuedCode] = TtlStore(limit, clock)

    def issue(self, authorization: AuthorizationRequest, approval: Approval) -> str:
        """A new code for what was approved."""
        code = self._token()
        expires = self._clock() + LIFETIME_SECONDS
        issued = IssuedCode(
            approval, authorization.redirect_uri, authorization.redirect_uri_sent, authorization.challenge, expires
        )
        self._issued.put(hash_secret(code), issued, RETENTION_SECONDS)
        return code

    def check(self, code: str, client: Client, redirect_uri: str | None, verifier: str) -> Approval:
        """What the code stands for; raises OAuthError (invalid_grant). The code stays usable until `spend`.

        A request that fails does not use the code up: it proved nothing, and the rightful client may still come.
        """
        issued = self._issued.get(hash_secret(code))
        if issued is None:
            raise _invalid_grant("The code is not known or has expired.")
        if issued.flow_id is not None:
            self._revoke(issued.flow_id)
            raise _invalid_grant("The code was used before; what was issued for it is revoked.")
        if issued.expires <= self._clock():
            raise _invalid_grant("The code is not known or has expired.")
        if issued.approval.client_id != client.id:
            raise _invalid_grant("The code was issued to another client.")
        if redirect_uri != issued.redirect_uri and (issued.redirect_uri_sent or redirect_uri is not None):
            raise _invalid_grant("The redirect_uri is not the one of the authorization request.")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(code_challenge(verifier), issued.challenge):
            raise _invalid_grant("The code_verifier does not fit the code_challenge.")
        return issued.approval

    def mark_used(self, code: str, flow_id: str) -> None:
        """Mark the code as used for the tokens of *flow_id*."""
        key = hash_secret(code)
        if issued := self._issued.get(key):
            self._issued.replace(key, replace(issued, flow_id=flow_id))
