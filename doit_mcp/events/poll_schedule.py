"""When a mailbox's sources are polled next, and how recently a poll succeeded. No I/O.

Times are in epoch seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

MAX_REQUEST_SECONDS = 45.0
"""The longest duration of one request of a poll, with its retries, from its turn at the call budget."""
CONFIRMED_SECONDS = 10.0
"""Events are sent only if a poll succeeded this recently: the permission of the user may have ended."""


@dataclass(slots=True)
class PollSchedule:
    """The polls of one mailbox, by source."""

    _next_polls: dict[str, float] = field(default_factory=dict)
    _confirmed: dict[str, float] = field(default_factory=dict)
    _paused_until: dict[str, float] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)

    def set_sources(self, wanted: Set[str], first: float) -> None:
        """Forget sources that are not *wanted*. Poll new ones at *first*."""
        for times in (self._next_polls, self._confirmed, self._paused_until, self._failures):
            for source in times.keys() - wanted:
                del times[source]
        for source in wanted - self._next_polls.keys():
            self._next_polls[source] = first

    def is_confirmed(self, source: str, now: float) -> bool:
        """Return whether a poll showed a moment ago that the user may read *source*."""
        # A poll in the future was before the clock was set back.
        return abs(now - self._confirmed.get(source, float("-inf"))) <= CONFIRMED_SECONDS

    def poll_now(self, sources: Iterable[str], now: float) -> None:
        """Poll *sources* now; those whose last poll failed, after their pause."""
        for source in sources:
            at = max(now, self._paused_until.get(source, now))
            self._next_polls[source] = min(self._next_polls.get(source, at), at)

    def record_success(self, source: str, now: float) -> None:
        """Remember that a poll succeeded."""
        self._confirmed[source] = now
        self._paused_until.pop(source, None)
        self._failures.pop(source, None)

    def record_failure(self, source: str) -> int:
        """Remember a failed poll. Return how many failed in a row."""
        self._confirmed.pop(source, None)
        failures = self._failures[source] = self._failures.get(source, 0) + 1
        return failures

    def poll_after(self, source: str, now: float, pause: float) -> None:
        """Poll *source* again after *pause* seconds; not earlier, even if requested, if the last poll failed."""
        self._next_polls[source] = now + pause
        if source in self._failures or not self.is_confirmed(source, now):
            self._paused_until[source] = now + pause

    def list_due(self, now: float) -> list[str]:
        """Return the sources to poll, those that have waited longest first."""
        due = [source for source, at in self._next_polls.items() if at <= now]
        return sorted(due, key=lambda source: self._next_polls[source])

    def times(self) -> list[float]:
        """Return the times of the next polls."""
        return list(self._next_polls.values())
