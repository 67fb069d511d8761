"""Errors of authentication: those sent to the caller, and those of credentials for the DoiT API."""

from __future__ import annotations

from typing import Literal

REQUIRED_SCOPE = "mcp:tools"
"""The scope that every access token must have."""
SIGN_IN_MESSAGE = "The sign-in service no longer accepts this login. Sign in again."


class AuthError(Exception):
    """The caller is refused.

    *status* is 400, 401, 403, 429 or 503; *error* is a code of RFC 6750, section 3.1, or ``temporarily_unavailable`` or
    ``rate_limited``; *description* is safe to show; *scope* is the missing scope; *retry_after* is in seconds.
    """

    def __init__(
        self,
        status: int,
        error: str,
        description: str,
        *,
        scope: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.scope = scope
        self.retry_after = retry_after


class UpstreamCredentialError(Exception):
    """No credential for the DoiT API: *kind* is "refused" (sign in again) or "unavailable" (retry later).

    *retry_after* is in seconds. *login_ended* is whether the login itself has ended at the identity provider, so
    that the access token must be refused from now on.
    """

    def __init__(
        self,
        kind: Literal["refused", "unavailable"],
        message: str,
        retry_after: float | None = None,
        *,
        login_ended: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        self.login_ended = login_ended


def invalid_token_error(description: str) -> AuthError:
    """Return a 401 error: the caller has to sign in again or send another token."""
    return AuthError(401, "invalid_token", description)


def unavailable_error(description: str, retry_after: float) -> AuthError:
    """Return a 503 error, since a 401 would make clients discard a valid login. *retry_after* is in seconds."""
    return AuthError(503, "temporarily_unavailable", description, retry_after=max(1, round(retry_after)))
