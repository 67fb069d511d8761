"""Effects: what one call of a tool changed, as far as the API said; noted where requests are sent, read by whoever
records the call."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

from aiohttp import ClientConnectorError, ConnectionTimeoutError

from ..resilience.circuit_breaker import CircuitOpen
from .errors import ApiError

NOT_CONNECTED = (ClientConnectorError, ConnectionTimeoutError)
"""Raised before anything is sent."""


@dataclass(slots=True)
class Effects:
    """*applied* counts requests that the API carried out, *maybe_applied* those that it may have carried out. *repeated*: the
    call was answered with what an equal one had given, or had left unknown."""

    applied: int = 0
    maybe_applied: int = 0
    repeated: bool = False


EFFECTS: ContextVar[Effects | None] = ContextVar("effects", default=None)


def mark_repeated() -> None:
    """The call that is running is not carried out, because an equal one was."""
    if (effects := EFFECTS.get()) is not None:
        effects.repeated = True


class RequestEffect:
    """Surrounds everything that sends one request, its retries included, and notes how that ended unless it *reads*.

    Set *sent* before the request goes out and *status* when it is answered for good.
    """

    __slots__ = ("_reads", "sent", "status")

    def __init__(self, read_only: bool) -> None:
        self._reads = read_only
        self.sent = False
        self.status: int | None = None

    def __enter__(self) -> RequestEffect:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reads or not self.sent or (effects := EFFECTS.get()) is None:
            return
        if isinstance(error, ApiError):
            effects.maybe_applied += error.maybe_applied
        elif self.status is None:
            effects.maybe_applied += not isinstance(error, (*NOT_CONNECTED, CircuitOpen))
        elif 200 <= self.status < 300:
            effects.applied += 1
        else:
            # A refusal changes nothing; any other answer says nothing about it.
            effects.maybe_applied += not 400 <= self.status < 500


# Of all requests that only read, of which nothing is noted.
READ_ONLY = RequestEffect(read_only=True)
