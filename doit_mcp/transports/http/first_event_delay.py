"""Hearts: when answers that take their time begin to say that they are on their way."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import NamedTuple, Protocol


class PendingResponse(Protocol):
    """An answer that may take its time."""

    def start_keepalive(self, context: Context) -> None:
        """Say now and then, in that context, that the request is worked at."""


class PendingStart(NamedTuple):
    """Until when (a time of the loop), and the context of the request."""

    deadline: float
    context: Context


class FirstEventDelay:
    """Has each answer begin to beat after so many *seconds*. One timer for all of them: nearly every answer is there
    long before, and to set and stop a timer costs more than all else that is done for it here.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # All wait for equally long, so the first is the next.
        self._waiting: dict[PendingResponse, PendingStart] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, response: PendingResponse) -> None:
        """Begin to wait."""
        loop = asyncio.get_running_loop()
        self._waiting[response] = PendingStart(loop.time() + self.seconds, copy_context())
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._start_due)

    def remove(self, response: PendingResponse) -> None:
        """The answer is there."""
        self._waiting.pop(response, None)

    def _start_due(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting:
            answer, wait = next(iter(self._waiting.items()))
            if wait.deadline > loop.time():
                self._timer = loop.call_at(wait.deadline, self._start_due)
                return
            del self._waiting[answer]
            answer.start_keepalive(wait.context)
