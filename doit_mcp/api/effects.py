"""Effects of a tool call: which writes the API applied, for the audit log and for error messages."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

from aiohttp import ClientConnectorError, ConnectionTimeoutError

from ..resilience.circuit_breaker import CircuitOpen
from .errors import ApiError

NOT_CONNECTED = (ClientConnectorError, ConnectionTimeoutError)
"""Errors that are raised before anything is sent."""


@dataclass(slots=True)
class Effects:
    """Counts of writes that the API applied and may have applied.

    *repeated* means that the call returned the result of an equal call, from its receipt.
    """

    applied: int = 0
    maybe_applied: int = 0
    repeated: bool = False


EFFECTS: ContextVar[Effects | None] = ContextVar("effects", default=None)


def mark_repeated() -> None:
    """Record that the current call returns the result of an equal one."""
    if (effects := EFFECTS.get()) is not None:
        effects.repeated = True


class RequestEffect:
    """Context manager around one request and its retries that records the outcome of a write.

    Set *sent* before the request goes out, and *status* to the final response status.
    """

    __slots__ = ("_read_only", "sent", "status")

    def __init__(self, read_only: bool) -> None:
        self._read_only = read_only
        self.sent = False
        self.status: int | None = None

    def __enter__(self) -> RequestEffect:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._read_only or not self.sent or (effects := EFFECTS.get()) is None:
            return
        if isinstance(error, ApiError):
            effects.maybe_applied += error.maybe_applied
        elif self.status is None:
            effects.maybe_applied += not isinstance(error, (*NOT_CONNECTED, CircuitOpen))
        elif 200 <= self.status < 300:
            effects.applied += 1
        else:
            # A refusal changes nothing; after any other response a write may have been applied.
            effects.maybe_applied += not 400 <= self.status < 500


# Shared by all reads, which record nothing.
READ_ONLY = RequestEffect(read_only=True)
