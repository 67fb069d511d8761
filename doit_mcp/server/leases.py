"""Leases: a stream goes on only as long as the credential that it was opened with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Self


class Lease:
    """The right of one stream to go on, while the block runs; :meth:`on_end` says what ends the stream."""

    __slots__ = ("_close", "_credential", "_leases", "_timer", "over")

    def __init__(self, leases: Leases, credential: bytes, expires: float) -> None:
        self._leases, self._credential = leases, credential
        self._close: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.over = False
        self._begin(expires)

    def on_end(self, close: Callable[[], None]) -> None:
        """Call *close* when the credential ends; at once if it has ended already."""
        self._close = close
        if self.over:
            close()

    def renew(self, credential: bytes, expires: float) -> None:
        """The client shows a credential again: a newer one takes the place of the one that the stream has."""
        if credential != self._credential and not self.over:
            self._stop()
            self._credential = credential
            self._begin(expires)

    def end(self) -> None:
        """The credential has expired or was refused: end the stream."""
        self.over = True
        if self._close is not None:
            self._close()

    def _begin(self, expires: float) -> None:
        self._leases.held.setdefault(self._credential, set()).add(self)
        if expires != NEVER:
            left = max(0.0, expires - self._leases.clock())
            self._timer = asyncio.get_running_loop().call_later(left, self.end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held = self._leases.held[self._credential]
        held.discard(self)
        if not held:
            del self._leases.held[self._credential]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop()
        self._close = None


NEVER = float("inf")


class Leases:
    """The leases of all streams of this process, by credential (a digest of it)."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.held: dict[bytes, set[Lease]] = {}

    def lease(self, credential: bytes, expires: float) -> Lease:
        """A lease until *expires* (epoch seconds, or NEVER)."""
        return Lease(self, credential, expires)

    def end(self, credential: bytes) -> None:
        """The credential was refused: end every stream that has it."""
        for lease in list(self.held.get(credential, ())):
            lease.end()
