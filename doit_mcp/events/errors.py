"""Errors of ``events/*``, and their two sets of codes: those of the extension, and those that ChatGPT reads."""

from __future__ import annotations

from typing import Literal

from ..protocol.jsonrpc import INVALID_PARAMS, JsonObject

EventErrorKind = Literal["invalid", "not_found", "forbidden", "exhausted", "unsupported", "callback"]
CallbackFailure = Literal["connection_refused", "timeout", "tls_error", "http_4xx", "http_5xx", "challenge_failed"]
"""All that a subscriber learns about a receiver that failed. Nothing of its answer is repeated."""

ERROR_CODES: dict[EventErrorKind, tuple[int, int]] = {
    "invalid": (INVALID_PARAMS, INVALID_PARAMS),
    "not_found": (-32023, -32011),
    "forbidden": (-32024, -32012),
    "exhausted": (-32025, -32013),
    "unsupported": (-32026, -32014),
    "callback": (-32027, -32015),
}
"""By kind: the code for clients that declare the extension (SEP-3415), and the code for all others (its first draft)."""


class EventError(Exception):
    """A request of ``events/*`` that is refused. The message and *data* are for the client."""

    def __init__(self, kind: EventErrorKind, message: str, data: JsonObject | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.data = kind, message, data

    def code(self, declares_extension: bool) -> int:
        """Return the JSON-RPC error code for a client, by whether it declares the extension."""
        return ERROR_CODES[self.kind][0 if declares_extension else 1]


def invalid_parameter_error(message: str) -> EventError:
    """Return the error for a parameter; *message* says where it is and what it must be."""
    return EventError("invalid", f"Invalid params: {message}")


def callback_error(reason: CallbackFailure) -> EventError:
    """Return the error for a receiver that did not pass the verification."""
    return EventError(
        "callback",
        f"The receiver at delivery.url did not confirm the subscription ({reason})."
        " It must answer the signed verification request with status 2xx and the challenge.",
        {"reason": reason},
    )


REVOKED = EventError(
    "forbidden", "The user may no longer read what these events are about; sign in and subscribe again"
)
