"""What can go wrong with a caller's credential: towards the caller, and towards the DoiT API."""

from __future__ import annotations

from typing import Literal

REQUIRED_SCOPE = "mcp:tools"
"""The scope without which a token opens nothing here."""
SIGN_IN_MESSAGE = "The sign-in service no longer accepts this login: sign in again."


class AuthError(Exception):
    """The caller is not let in.

    *status* is 400, 401, 403, 429 or 503; *error* a code of RFC 6750 section 3.1, or ``temporarily_unavailable`` or
    ``rate_limited``; *description* may be shown; *scope* is what would be needed; *retry_after* is in seconds.
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
    """There is no credential for the DoiT API: "refused" (sign in again) or "unavailable" (later, *retry_after* s).

    *login_ended*: the identity provider says that the login itself is over, so the access token is worthless from now on.
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
    """401: the caller has to sign in again, or to send another token."""
    return AuthError(401, "invalid_token", description)


def unavailable_error(description: str, retry_after: float) -> AuthError:
    """503: nothing is wrong with the caller's login, which a 401 would make a client throw away."""
    return AuthError(503, "temporarily_unavailable", description, retry_after=max(1, round(retry_after)))
