"""What can go wrong with a call of the DoiT API, and what to tell a model about it."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

ErrorKind = Literal[
    "argument",  # refused here, nothing was sent
    "credential",  # no credential for the API: the caller has to sign in again
    "refused",  # the API found the request wrong (400, 422 and other 4xx)
    "forbidden",  # 403
    "missing",  # 404
    "conflict",  # 409
    "rate",  # 429
    "fault",  # 5xx, a redirect, or something else that a different request does not mend
    "timeout",  # no complete answer in time
    "network",  # no connection, or it broke
    "answer",  # an answer that cannot be read
]

KIND_BY_STATUS: dict[int, ErrorKind] = {
    401: "credential",
    403: "forbidden",
    404: "missing",
    409: "conflict",
    429: "rate",
}

ADVICE: dict[ErrorKind, str] = {
    "argument": "Correct the argument and call again.",
    "credential": "The sign-in is no longer accepted: reconnect the DoiT connector (sign in again), then repeat.",
    "refused": "Correct the arguments named above and call again; do not repeat the call unchanged.",
    "forbidden": "The signed-in user lacks the permission for this, or it belongs to another customer. "
    "Repeating does not help: an administrator can grant the permission in the DoiT console.",
    "missing": "Nothing has this id for this customer. Look up the right id with the matching list tool.",
    "conflict": "It collides with the present state. Read the current state first, then decide.",
    "rate": "Too many requests.",
    "fault": "The DoiT API has a problem.",
    "timeout": "The DoiT API did not answer in time. Ask for less (shorter range, fewer groups, a smaller page) "
    "or try again later.",
    "network": "The DoiT API could not be reached.",
    "answer": "The DoiT API sent an answer that cannot be used.",
}
RETRYABLE_KINDS: frozenset[ErrorKind] = frozenset({"rate", "fault", "network", "answer"})
CHECK_FIRST = "The change may have been made all the same: check the current state before repeating it."


class CredentialError(Exception):
    """No credential for the API: *kind* "refused" (sign in again) or "unavailable" (try later, *retry_after* seconds).

    Raised by the function that the client is given for tokens.
    """

    def __init__(self, kind: Literal["refused", "unavailable"], message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


class ApiError(Exception):
    """A call of the DoiT API failed.

    *reason* is cleaned text that may be shown; *status* is None where no answer came; *retry_after* is in seconds;
    *maybe_applied* says that a write may have taken effect although the call failed.
    """

    def __init__(
        self,
        reason: str,
        *,
        kind: ErrorKind,
        status: int | None = None,
        retry_after: float | None = None,
        maybe_applied: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.status = status
        self.retry_after = retry_after
        self.maybe_applied = maybe_applied


def error_kind(status: int) -> ErrorKind:
    """The kind of error that an HTTP status outside 2xx stands for."""
    if status in KIND_BY_STATUS:
        return KIND_BY_STATUS[status]
    return "refused" if 400 <= status < 500 else "fault"


def parse_retry_after(text: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); None if it is missing, past or garbage."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text) or None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def explain(error: ApiError, tool: str) -> str:
    """Sentences for a model: what failed, DoiT's own reason, and what to do now."""
    status = f" (HTTP {error.status})" if error.status else ""
    reason = f" {error.reason.rstrip('.')}." if error.reason else ""
    parts = [f"{tool} failed{status}.{reason}", ADVICE[error.kind]]
    if error.maybe_applied:
        parts.append(CHECK_FIRST)
    elif error.kind in RETRYABLE_KINDS:
        parts.append(_retry_hint(error.retry_after))
    return " ".join(parts)


def _retry_hint(seconds: float | None) -> str:
    if not seconds:
        return "Wait a minute, then try again."
    return f"Try again in {max(1, round(seconds))} seconds."
