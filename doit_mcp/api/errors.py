"""Errors of the DoiT API, and their explanations for models."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from ..protocol.json_schema import truncate_text

ErrorKind = Literal[
    "argument",  # rejected before anything was sent
    "credential",  # no credential for the API: the user must sign in again
    "refused",  # 400, 422 of a request with a body, and other 4xx
    "unsupported",  # 405, 406, 428: this server does not send what the API requires
    "forbidden",  # 403
    "missing",  # 404, 410
    "conflict",  # 409, 412, 423, 422 of a request without a body
    "early",  # 425
    "rate",  # 429
    "fault",  # 5xx, 408 or a redirect
    "timeout",  # no complete response in time
    "network",  # the connection failed or broke
    "answer",  # an unexpected response
]

KIND_BY_STATUS: dict[int, ErrorKind] = {
    401: "credential",
    403: "forbidden",
    404: "missing",
    405: "unsupported",
    406: "unsupported",
    408: "fault",
    409: "conflict",
    410: "missing",
    412: "conflict",
    423: "conflict",
    425: "early",
    428: "unsupported",  # the client sends If-Match for every object that is declared to have an etag
    429: "rate",
}

ADVICE: dict[ErrorKind, str] = {
    "argument": "Correct the argument and call again.",
    "credential": "The sign-in is no longer accepted: reconnect the DoiT connector (sign in again), then try again.",
    "refused": "Correct the arguments named above and call again; do not repeat the call unchanged.",
    "forbidden": "The signed-in user lacks the permission, the object belongs to another customer, or the customer's plan "
    "does not include DoiT API access. Do not repeat the call: an administrator can grant the permission in the DoiT "
    "console, and the DoiT account manager knows the plan.",
    "unsupported": "The DoiT API requires something that this server does not send, so other arguments do not help. Do "
    "not repeat the call: tell the user that this tool does not work now.",
    "missing": "This customer has no object with this id, or no longer has it. If a tool lists such objects, look up the "
    "id; otherwise repeat the call that returned the id.",
    "conflict": "The request conflicts with the current state. Read the current state first, then decide.",
    "early": "It is not ready yet: the same call works later.",
    "rate": "Too many requests.",
    "fault": "The DoiT API returned an error.",
    "timeout": "The DoiT API did not respond in time. Ask for less (shorter range, fewer groups, a smaller page) "
    "or try again later.",
    "network": "The DoiT API could not be reached.",
    "answer": "The DoiT API returned an unexpected response.",
}
RETRYABLE_KINDS: frozenset[ErrorKind] = frozenset({"early", "rate", "fault", "network", "answer"})
MAX_EXPLAINED_CHARACTERS = 2_000
"""Characters of a reason that are shown: reasons quote names, and those can be long."""
NEEDS_CUSTOMER = "this user works for DoiT, so the call must name a customer"
CHECK_FIRST = "The change may still have been made: check the current state before repeating it."


class CredentialError(Exception):
    """There is no credential for the API. Raised by the client's credential function.

    *kind* is "refused" (sign in again) or "unavailable" (try again after *retry_after* seconds).
    """

    def __init__(self, kind: Literal["refused", "unavailable"], message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


class ApiError(Exception):
    """A request to the DoiT API failed.

    *reason* is text that is safe to show. *status* is None without a response. *retry_after* is in seconds.
    *maybe_applied* means that a write may have taken effect. *advice* replaces the usual advice for the kind.
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
        self.advice = ""
        self.kind = kind
        self.status = status
        self.retry_after = retry_after
        self.maybe_applied = maybe_applied


def lacks_customer(error: ApiError) -> bool:
    """Return whether a request failed because it does not name a customer that the employee can act for."""
    return error.reason == NEEDS_CUSTOMER or names_unknown_customer(error)


def names_unknown_customer(error: ApiError) -> bool:
    """Return whether the API refused a request because of the customer that it names."""
    return error.kind == "refused" and "tenant_id_mismatch" in error.reason


def error_kind(status: int, *, has_body: bool = True) -> ErrorKind:
    """Return the error kind for an HTTP status outside 2xx. *has_body*: the request has content to correct."""
    if status == 422 and not has_body:
        # Only the state of the object can be wrong, such as a report run that failed or an unpublished flow.
        return "conflict"
    if status in KIND_BY_STATUS:
        return KIND_BY_STATUS[status]
    return "refused" if 400 <= status < 500 else "fault"


def parse_retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3); None if it is missing, past or invalid."""
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
    """Explain an error to a model: what failed, the API's reason, and what to do next."""
    status = f" (HTTP {error.status})" if error.status else ""
    parts = [
        f"Could not run {tool}{status}{_as_sentence(truncate_text(error.reason, MAX_EXPLAINED_CHARACTERS))}",
        error.advice or ADVICE[error.kind],
    ]
    if error.maybe_applied:
        parts.append(CHECK_FIRST)
    elif error.kind in RETRYABLE_KINDS:
        parts.append(_retry_hint(error.retry_after))
    return " ".join(parts)


def _as_sentence(reason: str) -> str:
    """Return the end of a sentence that gives the *reason*."""
    if not reason:
        return "."
    return f": {reason}" if reason.endswith("?") else f": {reason.rstrip('.')}."


def _retry_hint(seconds: float | None) -> str:
    if not seconds:
        return "Wait a minute, then try again."
    return f"Try again in {format_seconds(seconds)}."


def format_seconds(seconds: float) -> str:
    """Return a duration as text, in whole seconds, at least one."""
    whole = max(1, round(seconds))
    return "1 second" if whole == 1 else f"{whole} seconds"
