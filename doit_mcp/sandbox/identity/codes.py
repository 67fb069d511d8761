"""Authorization codes: single-use, short-lived, bound to client, redirect URI and PKCE challenge."""

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
# Used codes are kept longer than they are valid, so that a late reuse is still detected.
RETENTION_SECONDS = 3600.0
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """What a code is bound to; *flow_id* identifies the tokens issued for it, once it is used."""

    approval: Approval
    redirect_uri: str
    redirect_uri_sent: bool
    challenge: str
    expires: float
    flow_id: str | None = None


def _invalid_grant_error(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)


def code_challenge(verifier: str) -> str:
    """The S256 challenge (RFC 7636 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class AuthorizationCodes:
    """Issued codes. *revoke* is called with the flow of a code that is used twice."""

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
        """A new code for this approval."""
        code = self._token()
        expires = self._clock() + LIFETIME_SECONDS
        issued = IssuedCode(
            approval, authorization.redirect_uri, authorization.redirect_uri_sent, authorization.challenge, expires
        )
        self._issued.put(hash_secret(code), issued, RETENTION_SECONDS)
        return code

    def check(self, code: str, client: Client, redirect_uri: str | None, verifier: str) -> Approval:
        """The approval behind the code; raises OAuthError (invalid_grant). The code stays usable until `mark_used`.

        A failed request does not use up the code, because the legitimate client may still send its own.
        """
        issued = self._issued.get(hash_secret(code))
        if issued is None:
            raise _invalid_grant_error("The code is unknown or has expired.")
        if issued.flow_id is not None:
            self._revoke(issued.flow_id)
            raise _invalid_grant_error("The code was used before; the tokens issued for it are revoked.")
        if issued.expires <= self._clock():
            raise _invalid_grant_error("The code is unknown or has expired.")
        if issued.approval.client_id != client.id:
            raise _invalid_grant_error("The code was issued to another client.")
        if redirect_uri != issued.redirect_uri and (issued.redirect_uri_sent or redirect_uri is not None):
            raise _invalid_grant_error("The redirect_uri differs from the one in the authorization request.")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(code_challenge(verifier), issued.challenge):
            raise _invalid_grant_error("The code_verifier does not match the code_challenge.")
        return issued.approval

    def mark_used(self, code: str, flow_id: str) -> None:
        """Mark the code as used for the tokens of *flow_id*."""
        key = hash_secret(code)
        if issued := self._issued.get(key):
            self._issued.replace(key, replace(issued, flow_id=flow_id))
