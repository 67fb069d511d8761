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
from collections.abc import Callable
from typing import Literal

from .outcome_counts import (
    HALF_WINDOW_SECONDS,
    MAX_FAILURES_PER_CALLER,
    MIN_CALLERS,
    MIN_OUTCOMES,
    OutcomeCounts,
    _excess_failures,
)
from .requester import Requester

log = logging.getLogger(__name__)

CircuitState = Literal["closed", "half-open", "open"]

FEW_CALLERS_THRESHOLD = 60
"""Failures that open it when they are those of fewer callers, or of one operation."""
MIN_OPEN_SECONDS = 5.0
MAX_OPEN_SECONDS = 20.0
"""Seconds, before a jitter of a fifth."""
PROBE_TIMEOUT_SECONDS = 5.0
"""Seconds after which a probe that has not ended no longer holds up the next one."""
MAX_FAILED_PROBERS = 8
"""Callers remembered for a failed probe."""


class CircuitOpen(Exception):
    """Nothing is sent for now; a request that comes in *retry_after* may be."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"not before {retry_after:.1f} s")
        self.retry_after = retry_after


class CircuitBreaker:
    """The circuit to one upstream; *name* is said in logs and metrics. One per process: what it keeps does not grow.

    Call `enter` before a request and report its outcome once: `succeeded`, `failed`, or `left` where it says nothing.
    *single* is for an upstream with one operation that is the same for all customers. *chance* is from 0 to 1.
    """

    def __init__(
        self,
        name: str,
        *,
        single_operation: bool = False,
        clock: Callable[[], float] = time.monotonic,
        random_fraction: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._single_operation = single_operation
        self.clock = clock
        self._random_fraction = random_fraction
        self._is_open = False
        # The persons and customers it is open for; None: for everybody.
        self._affected_callers: frozenset[int] | None = None
        self._probe_at = 0.0  # no request before, while it is open; no further probe before, while it is half open
        # The same for callers other than those whose probes failed last: these must not keep it open for all others.
        self._others_probe_at = 0.0
        self._probers: dict[int, None] = {}
        self._probing = False
        self._failed_probes = 0
        # Changes with every opening and closing: who asked before then has nothing to say any more.
        self._ticket = 0
        self._previous_counts, self._current_counts = OutcomeCounts(float("-inf")), OutcomeCounts(float("-inf"))

    @property
    def state(self) -> CircuitState:
        """Closed lets everything through, open nothing, half-open one request at a time."""
        if not self._is_open:
            return "closed"
        return "half-open" if self._probing or self.clock() >= self._probe_at else "open"

    @property
    def retry_after(self) -> float:
        """Seconds until anybody may send a request: 0 unless it is open or a probe is under way."""
        return max(0.0, self._probe_at - self.clock()) if self._is_open else 0.0

    def retry_after_for(self, requester: Requester) -> float:
        """Seconds until *requester* may send a request."""
        if not self._is_open or not self._applies_to(requester):
            return 0.0
        return max(0.0, self._probe_time(requester) - self.clock())

    def _applies_to(self, requester: Requester | None) -> bool:
        return self._affected_callers is None or (
            requester is not None and not self._affected_callers.isdisjoint(requester)
        )

    def _probe_time(self, requester: Requester) -> float:
        """When *requester* may probe."""
        return self._probe_at if requester.user in self._probers else self._others_probe_at

    def enter(self, requester: Requester) -> int:
        """The ticket for one request of *requester*. Raises CircuitOpen."""
        if self._is_open and self._applies_to(requester):
            self._start_probe(requester)
        return self._ticket

    def _start_probe(self, requester: Requester) -> None:
        now, until = self.clock(), self._probe_time(requester)
        if now < until:
            raise CircuitOpen(until - now)
        self._probing = True
        self._probe_at = self._others_probe_at = now + PROBE_TIMEOUT_SECONDS

    def record_success(self, ticket: int) -> None:
        """The upstream answered, if only that the request was wrong."""
        if ticket != self._ticket:
            return
        if self._is_open:
            self._close()
        else:
            self._current_window().successes += 1

    def record_no_outcome(self, ticket: int) -> None:
        """Nobody waited for the answer, or its absence says nothing."""
        if ticket == self._ticket and self._probing:
            self._probe_at = self._others_probe_at = self.clock()

    def record_failure(self, ticket: int, requester: Requester | None, operation: str = "") -> None:
        """The upstream failed; *requester* is None if that does not depend on the caller (no connection)."""
        if ticket != self._ticket:
            return
        if self._is_open and self._applies_to(requester):
            self._open(requester)
            return
        self._current_window().count_failure(requester, operation)
        if self._should_open():
            # It opens again, or for different callers.
            self._affected_callers, self._failed_probes, self._probing = (
                None if self._affects_all_callers() else self._failing_callers(),
                0,
                False,
            )
            self._open(None)

    def _current_window(self) -> OutcomeCounts:
        now = self.clock()
        age = now - self._current_counts.started
        if age >= HALF_WINDOW_SECONDS:
            self._previous_counts = self._current_counts if age < 2 * HALF_WINDOW_SECONDS else OutcomeCounts(now)
            self._current_counts = OutcomeCounts(now)
        return self._current_counts

    def _should_open(self) -> bool:
        before, now = self._previous_counts, self._current_counts
        good, bad = before.successes + now.successes, before.failures + now.failures
        # The cheap checks first: this runs with each failure.
        if bad < good or good + bad < MIN_OUTCOMES:
            return False
        if self._affects_all_callers():
            return True
        if (few := self._failing_callers()) is not None:
            return bad >= FEW_CALLERS_THRESHOLD and not good and not (self._is_open and few == self._affected_callers)
        counted = bad - self._excess_failures()
        if self._affects_several_operations():
            return counted >= max(good, MIN_OUTCOMES / 2)
        return bad >= FEW_CALLERS_THRESHOLD and counted >= FEW_CALLERS_THRESHOLD / 2 and not good

    def _excess_failures(self) -> int:
        """How many of the failures are more than their callers can count for."""
        persons = _excess_failures(self._previous_counts.failures_by_user + self._current_counts.failures_by_user)
        return (
            persons
            if self._single_operation
            else max(
                persons,
                _excess_failures(
                    self._previous_counts.failures_by_customer + self._current_counts.failures_by_customer
                ),
            )
        )

    def _affects_all_callers(self) -> bool:
        """Whether half of the failures would have met anybody."""
        before, now = self._previous_counts, self._current_counts
        return 2 * (before.general_failures + now.general_failures) >= before.failures + now.failures

    def _affects_several_operations(self) -> bool:
        return (
            self._single_operation
            or len(self._previous_counts.failed_operations | self._current_counts.failed_operations) > 1
        )

    def _failing_callers(self) -> frozenset[int] | None:
        """The persons or customers that failed more than once in a while; None where several failed."""
        persons = self._previous_counts.failures_by_user + self._current_counts.failures_by_user
        if len(persons) < MIN_CALLERS:
            return frozenset(person for person, count in persons.items() if count > MAX_FAILURES_PER_CALLER)
        if self._single_operation:
            return None
        customers = self._previous_counts.failures_by_customer + self._current_counts.failures_by_customer
        if len(customers) < MIN_CALLERS:
            return frozenset(customer for customer, count in customers.items() if count > MAX_FAILURES_PER_CALLER)
        return None

    def _open(self, prober: Requester | None) -> None:
        """Open it, for longer if it was open; *prober* is whose probe failed, None where anybody's would have."""
        now, jitter = self.clock(), 0.8 + 0.4 * self._random_fraction()
        if not self._probing:
            whom = "" if self._affected_callers is None else f" for {len(self._affected_callers)} of its callers"
            failures = self._previous_counts.failures + self._current_counts.failures
            log.warning("circuit to %s: open%s, after %d failures", self.name, whom, failures)
        self._probe_at = self._others_probe_at = (
            now + min(MAX_OPEN_SECONDS, MIN_OPEN_SECONDS * 2**self._failed_probes) * jitter
        )
        if prober is not None:
            self._others_probe_at = min(self._probe_at, now + MIN_OPEN_SECONDS * jitter)
            self._probers.pop(prober.user, None)
            self._probers[prober.user] = None
            if len(self._probers) > MAX_FAILED_PROBERS:
                del self._probers[next(iter(self._probers))]
        # Bounded as well: an outage of days must not make it a number of a thousand digits.
        self._failed_probes = min(self._failed_probes + 1, 8)
        self._is_open, self._probing = True, False
        self._ticket += 1

    def _close(self) -> None:
        log.warning("circuit to %s: closed again", self.name)
        self._is_open = self._probing = False
        self._affected_callers, self._failed_probes = None, 0
        self._probers.clear()
        self._ticket += 1
        self._previous_counts, self._current_counts = OutcomeCounts(float("-inf")), OutcomeCounts(float("-inf"))
