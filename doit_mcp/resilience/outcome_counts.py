"""Counts successes and failures of upstream requests in one half of a circuit breaker's window."""

from __future__ import annotations

from collections import Counter

from .requester import Requester

HALF_WINDOW_SECONDS = 10.0
"""Length of each half: the window spans between one and two halves."""


MIN_OUTCOMES = 20
"""Outcomes in the window before the circuit can open."""


MIN_CALLERS = 3
"""Users, and customers, whose requests must fail before the failures are attributed to the upstream."""


MAX_FAILURES_PER_CALLER = -(-MIN_OUTCOMES // (2 * MIN_CALLERS))
"""Failures of one caller that always count, a third of what opens the circuit. More count only up to twice the failures
that MIN_CALLERS callers have."""


MAX_COUNTED_CALLERS = 100
"""Users, and customers, whose failures are counted separately in each half of the window."""


class OutcomeCounts:
    """Outcomes of the requests that ended in one half of the window, which began at *started*."""

    __slots__ = (
        "failures",
        "started",
        "failures_by_customer",
        "general_failures",
        "successes",
        "failed_operations",
        "failures_by_user",
    )

    def __init__(self, started: float) -> None:
        self.started = started
        # General failures do not depend on the caller.
        self.successes = self.failures = self.general_failures = 0
        # Failures by caller. Beyond MAX_COUNTED_CALLERS they are in the total only.
        self.failures_by_user: Counter[int] = Counter()
        self.failures_by_customer: Counter[int] = Counter()
        # Bounded, because the decision needs only a few.
        self.failed_operations: set[str] = set()

    def count_failure(self, requester: Requester | None, operation: str) -> None:
        """Count a failure; *requester* is None if it does not depend on the caller."""
        self.failures += 1
        if requester is None:
            self.general_failures += 1
            return
        _count_caller(self.failures_by_user, requester.user)
        _count_caller(self.failures_by_customer, requester.customer)
        if len(self.failed_operations) < MIN_CALLERS:
            self.failed_operations.add(operation)


def _count_caller(counts: Counter[int], caller: int) -> None:
    if caller in counts or len(counts) < MAX_COUNTED_CALLERS:
        counts[caller] += 1


def excess_failures(counts: Counter[int]) -> int:
    """Return how many failures exceed what counts for their callers."""
    max_counted = max(MAX_FAILURES_PER_CALLER, 2 * counts.most_common(MIN_CALLERS)[-1][1])
    return sum(count - max_counted for count in counts.values() if count > max_counted)
