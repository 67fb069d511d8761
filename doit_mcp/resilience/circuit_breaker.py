"""The circuit breaker, which stops calling a failing upstream for a few seconds.

It opens for all callers when half of the requests of the last seconds failed, for several users of several customers
and with more than one operation: one user, one customer whose data makes the API fail, or one broken operation must not
block all others. When fewer callers fail, many more failures without a single success open the circuit, and only for
those callers. A failure to connect concerns all callers.

The failures of one user or customer count for at most a third of what opens the circuit, unless others fail as often. A
caller that always fails, besides a few that failed once, does not mean that the upstream fails.
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
    excess_failures,
)
from .requester import Requester

log = logging.getLogger(__name__)

CircuitState = Literal["closed", "half-open", "open"]

FEW_CALLERS_THRESHOLD = 60
"""Failures that open the circuit when only few callers, or one operation, are affected."""
MIN_OPEN_SECONDS = 5.0
MAX_OPEN_SECONDS = 20.0
"""Before a jitter of 20 %."""
PROBE_TIMEOUT_SECONDS = 5.0
"""After this time the next probe starts even if the last one has not ended."""
MAX_FAILED_PROBERS = 8
"""Callers that are remembered because their probe failed."""


class CircuitOpen(Exception):
    """The circuit is open. A request can be sent in *retry_after* seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"not before {retry_after:.1f} s")
        self.retry_after = retry_after


class CircuitBreaker:
    """The circuit to one upstream; *name* appears in logs and metrics. Its memory is bounded.

    Call :meth:`enter` before a request, and report its outcome once: :meth:`record_success`, :meth:`record_failure`, or
    :meth:`record_no_outcome`. *single_operation* is for an upstream with one operation that is the same for all
    customers. *random_fraction* returns a number from 0 to 1.
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
        # The users and customers for which it is open, or None if it is open for all callers.
        self._affected_callers: frozenset[int] | None = None
        # The time of the next probe while the circuit is open or half open.
        self._probe_at = 0.0
        # The same for callers other than those whose probes failed last, which must not keep it open for the others.
        self._others_probe_at = 0.0
        self._probers: dict[int, None] = {}
        self._probing = False
        self._failed_probes = 0
        # Changes whenever the circuit opens or closes: outcomes of earlier requests no longer count.
        self._ticket = 0
        self._previous_counts, self._current_counts = OutcomeCounts(float("-inf")), OutcomeCounts(float("-inf"))

    @property
    def state(self) -> CircuitState:
        """The state: closed admits all requests, open none, and half-open one at a time."""
        if not self._is_open:
            return "closed"
        return "half-open" if self._probing or self.clock() >= self._probe_at else "open"

    @property
    def retry_after(self) -> float:
        """Seconds until any request can be sent: 0 unless the circuit is open or a probe is under way."""
        return max(0.0, self._probe_at - self.clock()) if self._is_open else 0.0

    def retry_after_for(self, requester: Requester) -> float:
        """Return the seconds until *requester* can send a request."""
        if not self._is_open or not self._applies_to(requester):
            return 0.0
        return max(0.0, self._probe_time(requester) - self.clock())

    def _applies_to(self, requester: Requester | None) -> bool:
        return self._affected_callers is None or (
            requester is not None and not self._affected_callers.isdisjoint(requester)
        )

    def _probe_time(self, requester: Requester) -> float:
        """Return the time from which *requester* can probe."""
        return self._probe_at if requester.user in self._probers else self._others_probe_at

    def enter(self, requester: Requester) -> int:
        """Return the ticket for one request of *requester*. Raise CircuitOpen."""
        if self._is_open and self._applies_to(requester):
            self._start_probe(requester)
        return self._ticket

    def _start_probe(self, requester: Requester) -> None:
        now, probe_at = self.clock(), self._probe_time(requester)
        if now < probe_at:
            raise CircuitOpen(probe_at - now)
        self._probing = True
        self._probe_at = self._others_probe_at = now + PROBE_TIMEOUT_SECONDS

    def record_success(self, ticket: int) -> None:
        """Record that the upstream responded, if only with a client error."""
        if ticket != self._ticket:
            return
        if self._is_open:
            self._close()
        else:
            self._current_window().successes += 1

    def record_no_outcome(self, ticket: int) -> None:
        """Record that the request, such as a canceled one, ended without showing whether the upstream works."""
        if ticket == self._ticket and self._probing:
            self._probe_at = self._others_probe_at = self.clock()

    def record_failure(self, ticket: int, requester: Requester | None, operation: str = "") -> None:
        """Record that the upstream failed. *requester* is None if the failure concerns all callers (no connection)."""
        if ticket != self._ticket:
            return
        if self._is_open and self._applies_to(requester):
            self._open(requester)
            return
        self._current_window().count_failure(requester, operation)
        if self._should_open():
            # It opens, or opens for different callers.
            self._affected_callers, self._failed_probes, self._probing = (
                None if self._affects_all_callers() else self._failing_callers(),
                0,
                False,
            )
            self._open(None)

    def _current_window(self) -> OutcomeCounts:
        now = self.clock()
        started = self._current_counts.started
        if now - started >= 2 * HALF_WINDOW_SECONDS:
            self._previous_counts, self._current_counts = OutcomeCounts(now), OutcomeCounts(now)
        elif now - started >= HALF_WINDOW_SECONDS:
            # The next half begins where this one ends, or its outcomes would count for longer than two halves.
            self._previous_counts = self._current_counts
            self._current_counts = OutcomeCounts(started + HALF_WINDOW_SECONDS)
        return self._current_counts

    def _should_open(self) -> bool:
        previous, current = self._previous_counts, self._current_counts
        successes, failures = previous.successes + current.successes, previous.failures + current.failures
        # Cheap checks first, because this runs after every failure.
        if failures < successes or successes + failures < MIN_OUTCOMES:
            return False
        if self._affects_all_callers():
            return True
        if (failing_callers := self._failing_callers()) is not None:
            return (
                failures >= FEW_CALLERS_THRESHOLD
                and not successes
                and not (self._is_open and failing_callers == self._affected_callers)
            )
        counted_failures = failures - self._excess_failures()
        if self._affects_several_operations():
            return counted_failures >= max(successes, MIN_OUTCOMES / 2)
        return failures >= FEW_CALLERS_THRESHOLD and counted_failures >= FEW_CALLERS_THRESHOLD / 2 and not successes

    def _excess_failures(self) -> int:
        """Return how many failures exceed what counts for their callers."""
        users = excess_failures(self._previous_counts.failures_by_user + self._current_counts.failures_by_user)
        return (
            users
            if self._single_operation
            else max(
                users,
                excess_failures(self._previous_counts.failures_by_customer + self._current_counts.failures_by_customer),
            )
        )

    def _affects_all_callers(self) -> bool:
        """Return whether half of the failures do not depend on the caller."""
        previous, current = self._previous_counts, self._current_counts
        return 2 * (previous.general_failures + current.general_failures) >= previous.failures + current.failures

    def _affects_several_operations(self) -> bool:
        return (
            self._single_operation
            or len(self._previous_counts.failed_operations | self._current_counts.failed_operations) > 1
        )

    def _failing_callers(self) -> frozenset[int] | None:
        """Return the users or customers whose requests keep failing, or None if several have failing requests."""
        users = self._previous_counts.failures_by_user + self._current_counts.failures_by_user
        if len(users) < MIN_CALLERS:
            return frozenset(user for user, count in users.items() if count > MAX_FAILURES_PER_CALLER)
        if self._single_operation:
            return None
        customers = self._previous_counts.failures_by_customer + self._current_counts.failures_by_customer
        if len(customers) < MIN_CALLERS:
            return frozenset(customer for customer, count in customers.items() if count > MAX_FAILURES_PER_CALLER)
        return None

    def _open(self, prober: Requester | None) -> None:
        """Open the circuit, for longer if it was open. *prober* is the caller whose probe failed, if any."""
        now, jitter = self.clock(), 0.8 + 0.4 * self._random_fraction()
        if not self._probing:
            scope = "" if self._affected_callers is None else f" for {len(self._affected_callers)} of its callers"
            failures = self._previous_counts.failures + self._current_counts.failures
            log.warning("circuit breaker for %s: open%s, after %d failures", self.name, scope, failures)
        self._probe_at = self._others_probe_at = (
            now + min(MAX_OPEN_SECONDS, MIN_OPEN_SECONDS * 2**self._failed_probes) * jitter
        )
        if prober is not None:
            self._others_probe_at = min(self._probe_at, now + MIN_OPEN_SECONDS * jitter)
            self._probers.pop(prober.user, None)
            self._probers[prober.user] = None
            if len(self._probers) > MAX_FAILED_PROBERS:
                del self._probers[next(iter(self._probers))]
        # Bounded: an outage of days must not make the power of two huge.
        self._failed_probes = min(self._failed_probes + 1, 8)
        self._is_open, self._probing = True, False
        self._ticket += 1

    def _close(self) -> None:
        log.warning("circuit breaker for %s: closed again", self.name)
        self._is_open = self._probing = False
        self._affected_callers, self._failed_probes = None, 0
        self._probers.clear()
        self._ticket += 1
        self._previous_counts, self._current_counts = OutcomeCounts(float("-inf")), OutcomeCounts(float("-inf"))
