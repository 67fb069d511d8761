"""A circuit breaker stops calling a failing upstream for a few seconds.

It opens for everybody when half of the requests of the last seconds failed, for several persons of several customers
and with more than one operation: one person, one customer whose data makes the API fail, or one broken operation must
not take the API away from all others. When fewer callers than that fail, it takes many more failures and not a single
success, and the circuit opens for those callers alone. A connection that cannot be made concerns everybody.

The failures of one person or customer count for no more than a third of what opens it, unless others fail as often: a
caller who fails all the time, beside a few who were unlucky once, is not an upstream that fails.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal, NamedTuple

log = logging.getLogger(__name__)

State = Literal["closed", "half-open", "open"]

HALF = 10.0
"""Seconds of each of the two parts of the window: it reaches back over one of them at least, two at most."""
FEWEST = 20
"""Outcomes in the window before anything is concluded."""
SEVERAL = 3
"""Persons, and customers, that have to meet failures before these count as the upstream's."""
MAX_SHARE = -(-FEWEST // (2 * SEVERAL))
"""Failures of one caller that always count, a third of what opens it; those beyond it count only up to twice as many as
SEVERAL callers have."""
MAX_COUNTED = 100
"""Persons, and customers, whose failures are counted apart in each part of the window."""
LONE = 60
"""Failures that open it when they are those of fewer callers, or of one operation."""
FIRST_REST = 5.0
LONGEST_REST = 20.0
"""Seconds, before a jitter of a fifth: with the lease it is well under the 40 s of security F7 and K4."""
LEASE = 5.0
"""Seconds after which a probe that has not ended no longer holds up the next one."""
MAX_PROBERS = 8
"""Callers remembered for a failed probe."""


class Requester(NamedTuple):
    """On whose behalf a request is sent, as hashes that are no secrets: a person counts once, whatever the tokens and
    customers, and so does a customer, whoever its users are."""

    person: int
    customer: int

    @classmethod
    def of(cls, subject: str, tenant: str) -> Requester:
        """The user *subject*, who sees the data of *tenant*."""
        return cls(hash(("person", subject.lower())), hash(("customer", tenant)))


ALONE = Requester(0, 0)
"""The only one there is, for a process with one user."""


class CircuitOpen(Exception):
    """Nothing is sent for now; a request that comes in *seconds* may be."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not before {seconds:.1f} s")
        self.seconds = seconds


class Tally:
    """Outcomes of the requests that ended in one part of the window, which *began* at a time."""

    __slots__ = ("bad", "began", "customers", "general", "good", "operations", "persons")

    def __init__(self, began: float) -> None:
        self.began = began
        # *general* are the failures that would have met anybody.
        self.good = self.bad = self.general = 0
        # Failures by who met them. Those of more callers than are counted apart are in *bad* only.
        self.persons: Counter[int] = Counter()
        self.customers: Counter[int] = Counter()
        # No more of them than it takes to decide.
        self.operations: set[str] = set()

    def failed(self, requester: Requester | None, operation: str) -> None:
        """Count a failure; *requester* is None for one that does not depend on the caller."""
        self.bad += 1
        if requester is None:
            self.general += 1
            return
        _count(self.persons, requester.person)
        _count(self.customers, requester.customer)
        if len(self.operations) < SEVERAL:
            self.operations.add(operation)


def _count(found: Counter[int], caller: int) -> None:
    if caller in found or len(found) < MAX_COUNTED:
        found[caller] += 1


def _excess(found: Counter[int]) -> int:
    """Failures beyond what their callers can count for."""
    most = max(MAX_SHARE, 2 * found.most_common(SEVERAL)[-1][1])
    return sum(count - most for count in found.values() if count > most)


class Breaker:
    """The circuit to one upstream; *name* is said in logs and metrics. One per process: what it keeps does not grow.

    Call `enter` before a request and report its outcome once: `succeeded`, `failed`, or `left` where it says nothing.
    *single* is for an upstream with one operation that is the same for all customers. *chance* is from 0 to 1.
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
        # The persons and customers it is open for; None: for everybody.
        self._few: frozenset[int] | None = None
        self._until = 0.0  # no request before, while it is open; no further probe before, while it is half open
        # The same for callers other than those whose probes failed last: these must not keep it open for all others.
        self._others_until = 0.0
        self._probers: dict[int, None] = {}
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
        """Seconds until anybody may send a request: 0 unless it is open or a probe is under way."""
        return max(0.0, self._until - self.clock()) if self._shut else 0.0

    def rest_of(self, requester: Requester) -> float:
        """Seconds until *requester* may send a request."""
        if not self._shut or not self._concerns(requester):
            return 0.0
        return max(0.0, self._time_of(requester) - self.clock())

    def _concerns(self, requester: Requester | None) -> bool:
        return self._few is None or (requester is not None and not self._few.isdisjoint(requester))

    def _time_of(self, requester: Requester) -> float:
        """When *requester* may probe."""
        return self._until if requester.person in self._probers else self._others_until

    def enter(self, requester: Requester) -> int:
        """The ticket for one request of *requester*. Raises CircuitOpen."""
        if self._shut and self._concerns(requester):
            self._probe(requester)
        return self._ticket

    def _probe(self, requester: Requester) -> None:
        now, until = self.clock(), self._time_of(requester)
        if now < until:
            raise CircuitOpen(until - now)
        self._probing = True
        self._until = self._others_until = now + LEASE

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
        if ticket == self._ticket and self._probing:
            self._until = self._others_until = self.clock()

    def failed(self, ticket: int, requester: Requester | None, operation: str = "") -> None:
        """The upstream failed; *requester* is None if that does not depend on the caller (no connection)."""
        if ticket != self._ticket:
            return
        if self._shut and self._concerns(requester):
            self._open(requester)
            return
        self._window().failed(requester, operation)
        if self._is_enough():
            # It opens again, or for different callers.
            self._few, self._rests, self._probing = None if self._is_general() else self._few_failed(), 0, False
            self._open(None)

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
        # The cheap checks first: this runs with each failure.
        if bad < good or good + bad < FEWEST:
            return False
        if self._is_general():
            return True
        if (few := self._few_failed()) is not None:
            return bad >= LONE and not good and not (self._shut and few == self._few)
        counted = bad - self._excess()
        if self._are_several_operations():
            return counted >= max(good, FEWEST / 2)
        return bad >= LONE and counted >= LONE / 2 and not good

    def _excess(self) -> int:
        """How many of the failures are more than their callers can count for."""
        persons = _excess(self._before.persons + self._now.persons)
        return persons if self._single else max(persons, _excess(self._before.customers + self._now.customers))

    def _is_general(self) -> bool:
        """Whether half of the failures would have met anybody."""
        before, now = self._before, self._now
        return 2 * (before.general + now.general) >= before.bad + now.bad

    def _are_several_operations(self) -> bool:
        return self._single or len(self._before.operations | self._now.operations) > 1

    def _few_failed(self) -> frozenset[int] | None:
        """The persons or customers that failed more than once in a while; None where several failed."""
        persons = self._before.persons + self._now.persons
        if len(persons) < SEVERAL:
            return frozenset(person for person, count in persons.items() if count > MAX_SHARE)
        if self._single:
            return None
        customers = self._before.customers + self._now.customers
        if len(customers) < SEVERAL:
            return frozenset(customer for customer, count in customers.items() if count > MAX_SHARE)
        return None

    def _open(self, prober: Requester | None) -> None:
        """Open it, for longer if it was open; *prober* is whose probe failed, None where anybody's would have."""
        now, jitter = self.clock(), 0.8 + 0.4 * self._chance()
        if not self._probing:
            whom = "" if self._few is None else f" for {len(self._few)} of its callers"
            failures = self._before.bad + self._now.bad
            log.warning("circuit to %s: open%s, after %d failures", self.name, whom, failures)
        self._until = self._others_until = now + min(LONGEST_REST, FIRST_REST * 2**self._rests) * jitter
        if prober is not None:
            self._others_until = min(self._until, now + FIRST_REST * jitter)
            self._probers.pop(prober.person, None)
            self._probers[prober.person] = None
            if len(self._probers) > MAX_PROBERS:
                del self._probers[next(iter(self._probers))]
        # Bounded as well: an outage of days must not make it a number of a thousand digits.
        self._rests = min(self._rests + 1, 8)
        self._shut, self._probing = True, False
        self._ticket += 1

    def _close(self) -> None:
        log.warning("circuit to %s: closed again", self.name)
        self._shut = self._probing = False
        self._few, self._rests = None, 0
        self._probers.clear()
        self._ticket += 1
        self._before, self._now = Tally(float("-inf")), Tally(float("-inf"))
