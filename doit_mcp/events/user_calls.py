"""Remembers the tool calls of users at this replica: events wait until the turn of a conversation is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection


class UserCalls:
    """When each owner of a mailbox last had a call in progress. *clock* returns epoch seconds.

    Times older than *hold_seconds* are forgotten.
    """

    def __init__(self, clock: Callable[[], float], hold_seconds: float) -> None:
        self._clock, self._hold_seconds = clock, hold_seconds
        self._running = Counter[str]()
        self._ended: dict[str, float] = {}
        self._shared: dict[str, float] = {}

    def begin(self, owner: str) -> None:
        """Count a call of *owner* as in progress."""
        self._running[owner] += 1

    def end(self, owner: str, *, is_remembered: bool) -> None:
        """End a call that began. Its time is remembered only for owners with subscriptions, who are bounded."""
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        if is_remembered:
            self._ended[owner] = self._clock()

    def last_at(self, owner: str) -> float:
        """Return when *owner* last had a call in progress: the current time during a call, 0 if it is not known."""
        return self._clock() if owner in self._running else self._ended.get(owner, 0.0)

    def take_news(self, owners: Collection[str]) -> dict[str, float]:
        """Return what other replicas have to know of *owners*: when each last had a call in progress, if that changed.

        Calls in progress are returned again before half of the hold has passed.
        """
        now, news = self._clock(), dict[str, float]()
        self._forget(now - self._hold_seconds)
        if not self._hold_seconds:
            return news
        for owner in (self._running.keys() | self._ended.keys()) & set(owners):
            at, shared = self.last_at(owner), self._shared.get(owner, 0.0)
            if at > shared and (owner not in self._running or now - shared >= self._hold_seconds / 2):
                news[owner] = self._shared[owner] = at
        return news

    def _forget(self, oldest: float) -> None:
        for times in (self._ended, self._shared):
            for owner in [owner for owner, at in times.items() if at < oldest]:
                del times[owner]
