"""A circuit breaker: an upstream that fails again and again is left alone for a while (security F8).

What opens it are failures of the upstream itself. Half of what was sent in the last seconds has to fail, of several
callers and several operations: one customer whose data makes the API stumble, or one operation that is broken, must
not take it from everybody else. Where only one of them is there to judge by, it takes many more failures and not a
single success. A connection that cannot be made is nobody's in particular and counts for all.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Hashable
from typing import Literal

log = logging.getLogger(__name__)

State = Literal["closed", "half-open", "open"]

HALF = 10.0
"""Seconds of each of the two parts of the window: it reaches back over one of them at least, two at most."""
FEWEST = 20
"""Outcomes in the window before anything is concluded."""
LONE = 60
"""Failures that open it on the word of one caller or one operation."""
FIRST_REST = 5.0
LONGEST_REST = 20.0
"""Seconds, before a jitter of a fifth: with the lease it is well under the 40 s of security F7 and K4."""
LEASE = 5.0
"""Seconds after which a probe that has not ended no longer holds up the next one."""


class CircuitOpen(Exception):
    """Nothing is sent for now; a request that comes in *seconds* may be."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not before {seconds:.1f} s")
        self.seconds = seconds


class Tally:
    """What came of the requests that ended in one part of the window, which *began* at a time."""

    __slots__ = ("bad", "began", "callers", "first", "good", "nobodys", "operations")

    def __init__(self, began: float) -> None:
        self.began = began
        # *nobodys* are the failures that would have met anybody.
        self.good = self.bad = self.nobodys = 0
        # Who failed first, and with what; whether others did, and with something else.
        self.first: tuple[Hashable, str] | None = None
        self.callers = self.operations = False

    def failed(self, caller: Hashable, operation: str) -> None:
        """Count a failure; *caller* None for one that would have met anybody."""
        self.bad += 1
        if caller is None:
            self.nobodys += 1
        elif self.first is None:
            self.first = caller, operation
        else:
            self.callers |= caller != self.first[0]
            self.operations |= operation != self.first[1]


class Breaker:
    """The circuit to one upstream; *name* is said in logs and metrics. One per process: what it keeps does not grow.

    Ask `enter` before a request, and say once what became of it: `succeeded`, `failed`, or `left` where nothing can be
    said. *single* is for an upstream with one operation, whose failure is the upstream's. *chance* is from 0 to 1.
    """

    def __init__(
        self,
        name: str,
        *,
        single: bool = False,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._single = single
        self.clock = clock
        self._chance = chance
        self._shut = False
        self._until = 0.0  # no request before, while it is open; no further probe before, while it is half open
        self._probing = False
        self._rests = 0
        # Changes with every opening and closing: who asked before then has nothing to say any more.
        self._ticket = 0
        self._before, self._now = Tally(float("-inf")), Tally(float("-inf"))

    @property
    def state(self) -> State:
        """Closed lets everything through, open nothing, half-open one request at a time."""
        if not self._shut:
            return "closed"
        return "half-open" if self._probing or self.clock() >= self._until else "open"

    @property
    def rest(self) -> float:
        """Seconds until a request may be sent: 0 unless it is open or a probe is under way."""
        return max(0.0, self._until - self.clock()) if self._shut else 0.0

    def enter(self) -> int:
        """The ticket for one request. Raises CircuitOpen."""
        if self._shut:
            self._probe()
        return self._ticket

    def _probe(self) -> None:
        now = self.clock()
        if now < self._until:
            raise CircuitOpen(self._until - now)
        self._probing, self._until = True, now + LEASE

    def succeeded(self, ticket: int) -> None:
        """The upstream answered, if only that the request was wrong."""
        if ticket != self._ticket:
            return
        if self._shut:
            self._close()
        else:
            self._window().good += 1

    def left(self, ticket: int) -> None:
        """Nobody waited for the answer, or its absence says nothing."""
        if ticket == self._ticket and self._shut:
            self._until = self.clock()

    def failed(self, ticket: int, caller: Hashable, operation: str = "") -> None:
        """The upstream failed; *caller* is None where that has nothing to do with who asked (no connection)."""
        if ticket != self._ticket:
            return
        if self._shut:
            self._open()
            return
        self._window().failed(caller, operation)
        if self._is_enough():
            self._open()

    def _window(self) -> Tally:
        now = self.clock()
        age = now - self._now.began
        if age >= HALF:
            self._before = self._now if age < 2 * HALF else Tally(now)
            self._now = Tally(now)
        return self._now

    def _is_enough(self) -> bool:
        before, now = self._before, self._now
        good, bad = before.good + now.good, before.bad + now.bad
        if self._is_broad():
            return good + bad >= FEWEST and bad >= good
        return bad >= LONE and not good

    def _is_broad(self) -> bool:
        """Whether the failures are those of more than one caller with one operation."""
        before, now = self._before, self._now
        if 2 * (before.nobodys + now.nobodys) >= before.bad + now.bad:
            return True
        callers, operations = before.callers or now.callers, before.operations or now.operations
        if before.first is not None and now.first is not None:
            callers = callers or before.first[0] != now.first[0]
            operations = operations or before.first[1] != now.first[1]
        return callers and (operations or self._single)

    def _open(self) -> None:
        rest = min(LONGEST_REST, FIRST_REST * 2**self._rests) * (0.8 + 0.4 * self._chance())
        if not self._probing:
            log.warning("circuit to %s: open, after %d failures", self.name, self._before.bad + self._now.bad)
        # Bounded as well: an outage of days must not make it a number of a thousand digits.
        self._rests = min(self._rests + 1, 8)
        self._shut, self._probing, self._until = True, False, self.clock() + rest
        self._ticket += 1

    def _close(self) -> None:
        log.warning("circuit to %s: closed again", self.name)
        self._shut = self._probing = False
        self._rests = 0
        self._ticket += 1
        self._before, self._now = Tally(float("-inf")), Tally(float("-inf"))
