"""Hearts: when answers that take their time begin to say that they are on their way."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import NamedTuple, Protocol


class Slow(Protocol):
    """An answer that may take its time."""

    def begin_to_beat(self, context: Context) -> None:
        """Say now and then, in that context, that the request is worked at."""


class Wait(NamedTuple):
    """Until when (a time of the loop), and the context of the request."""

    until: float
    context: Context


class Hearts:
    """Has each answer begin to beat after so many *seconds*. One timer for all of them: nearly every answer is there
    long before, and to set and stop a timer costs more than all else that is done for it here.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # All wait for equally long, so the first is the next.
        self._waiting: dict[Slow, Wait] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, answer: Slow) -> None:
        """Begin to wait."""
        loop = asyncio.get_running_loop()
        self._waiting[answer] = Wait(loop.time() + self.seconds, copy_context())
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._look)

    def remove(self, answer: Slow) -> None:
        """The answer is there."""
        self._waiting.pop(answer, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting:
            answer, wait = next(iter(self._waiting.items()))
            if wait.until > loop.time():
                self._timer = loop.call_at(wait.until, self._look)
                return
            del self._waiting[answer]
            answer.begin_to_beat(wait.context)
