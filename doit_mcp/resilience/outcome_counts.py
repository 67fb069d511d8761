"""Successes and failures of upstream requests in one part of a circuit breaker's window."""

from __future__ import annotations

from collections import Counter

from .requester import Requester

HALF_WINDOW_SECONDS = 10.0
"""Seconds of each of the two parts of the window: it reaches back over one of them at least, two at most."""


MIN_OUTCOMES = 20
"""Outcomes in the window before anything is concluded."""


MIN_CALLERS = 3
"""Persons, and customers, that have to meet failures before these count as the upstream's."""


MAX_FAILURES_PER_CALLER = -(-MIN_OUTCOMES // (2 * MIN_CALLERS))
"""Failures of one caller that always count, a third of what opens it; those beyond it count only up to twice as many as
SEVERAL callers have."""


MAX_COUNTED_CALLERS = 100
"""Persons, and customers, whose failures are counted apart in each part of the window."""


class OutcomeCounts:
    """Outcomes of the requests that ended in one part of the window, which *started* at a time."""

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
        # *general* are the failures that would have met anybody.
        self.successes = self.failures = self.general_failures = 0
        # Failures by who met them. Those of more callers than are counted apart are in *bad* only.
        self.failures_by_user: Counter[int] = Counter()
        self.failures_by_customer: Counter[int] = Counter()
        # No more of them than it takes to decide.
        self.failed_operations: set[str] = set()

    def count_failure(self, requester: Requester | None, operation: str) -> None:
        """Count a failure; *requester* is None for one that does not depend on the caller."""
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


def _excess_failures(counts: Counter[int]) -> int:
    """Failures beyond what their callers can count for."""
    most = max(MAX_FAILURES_PER_CALLER, 2 * counts.most_common(MIN_CALLERS)[-1][1])
    return sum(count - most for count in counts.values() if count > most)
