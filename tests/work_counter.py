"""Counts what Python executes, so that tests can limit work without a clock: a busy machine does not change a count."""

from __future__ import annotations

import asyncio
import sys
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MAX_LINES_PER_TURN = 400_000
"""Lines of Python in one turn of the event loop, beyond which a test fails. They take about 40 ms."""


class LoopLines:
    """Counts the lines that the event loop executes in each of its turns. Other threads do not count."""

    def __init__(self) -> None:
        self.longest = 0
        """Lines of the longest turn."""
        self._lines = 0

    def count_turn(self) -> None:
        """Count what follows as another turn."""
        self.longest = max(self.longest, self._lines)
        self._lines = 0

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        """Count a line. A trace function: see sys.settrace()."""
        if event == "line":
            self._lines += 1
        elif event == "call" and frame.f_code is Handle._run.__code__:
            self.count_turn()
        return self.trace


@contextmanager
def count_loop_lines() -> Iterator[LoopLines]:
    """Count the lines per turn of the running event loop, which must be asyncio's own, while the context is open."""
    assert isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
    lines, former = LoopLines(), sys.gettrace()
    sys.settrace(lines.trace)
    try:
        yield lines
    finally:
        sys.settrace(former)
        lines.count_turn()


class Work:
    """What one call of a function executed, in this thread."""

    def __init__(self) -> None:
        self.lines = 0
        """Lines of Python, once for each time that they were executed."""
        self.characters = 0
        """Characters and bytes of the values whose methods written in C were called, such as text.casefold()."""

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        """Count a line. A trace function: see sys.settrace()."""
        self.lines += event == "line"
        return self.trace

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        """Count the size of a method's own value. A profile function: see sys.setprofile()."""
        if event == "c_call" and isinstance(owner := arg.__self__, str | bytes | bytearray):
            self.characters += len(owner)


def count_work(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Work]:
    """Return the result of *function*, and what it executed."""
    work, former = Work(), sys.gettrace()
    sys.setprofile(work.profile)
    sys.settrace(work.trace)
    try:
        return function(*arguments), work
    finally:
        sys.settrace(former)
        sys.setprofile(None)
