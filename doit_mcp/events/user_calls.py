"""Remembers the tool calls of users with subscriptions: events wait until the turn of a conversation is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

Forward = Callable[[dict[str, float]], object]


class UserCalls:
    """When each subscriber last had a call in progress, at this replica or at another one.

    Subscribers are owners of mailboxes. *clock* returns epoch seconds. Times older than *hold_seconds* are forgotten.
    *forward* is set by those that connect replicas; it sends times to the others.
    """

    def __init__(self, clock: Callable[[], float], hold_seconds: float) -> None:
        self._clock, self._hold_seconds = clock, hold_seconds
        self.forward: Forward | None = None
        self._subscribers: set[str] = set()
        self._running = Counter[str]()
        # When calls ended here, when they were in progress at other replicas, and what those learned of calls here.
        self._ended: dict[str, float] = {}
        self._received: dict[str, float] = {}
        self._shared: dict[str, float] = {}

    def begin(self, owner: str) -> None:
        """Count a call of *owner* as in progress. Other replicas learn of the first one at once."""
        self._running[owner] += 1
        if owner in self._subscribers:
            self._send_time([owner])

    def end(self, owner: str) -> None:
        """End a call that began. Its time is remembered only for subscribers, whose number is limited."""
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        if owner in self._subscribers:
            self._ended[owner] = self._clock()

    def last_call_time(self, owner: str) -> float:
        """Return when *owner* last had a call in progress: the current time during a call, 0 if it is not known."""
        if owner in self._running:
            return self._clock()
        return max(self._ended.get(owner, 0.0), self._received.get(owner, 0.0))

    def add_subscriber(self, owner: str) -> None:
        """Remember calls of *owner* from now on, also at other replicas.

        A new subscriber counts as having had a call now: the turn in which a user subscribes may have had calls before.
        """
        if owner not in self._subscribers:
            self._ended[owner] = self._clock()
        self._subscribers.add(owner)
        self._send({owner: self.last_call_time(owner)})

    def keep_subscribers(self, owners: Collection[str]) -> None:
        """Remember only calls of these owners from now on."""
        self._subscribers = set(owners)

    def share_changes(self) -> None:
        """Send the times that changed to the other replicas, and forget old ones."""
        oldest = self._clock() - self._hold_seconds
        for times in (self._ended, self._received, self._shared):
            for owner in [owner for owner, at in times.items() if at < oldest or owner not in self._subscribers]:
                del times[owner]
        ended = [owner for owner, at in self._ended.items() if at > self._shared.get(owner, 0.0)]
        self._send({owner: self._ended[owner] for owner in ended if owner not in self._running})
        self._send_time(self._running.keys() & self._subscribers)

    def _send_time(self, owners: Iterable[str]) -> None:
        """Send the current time for *owners*, who have calls in progress, unless what was sent still lasts a while."""
        now = self._clock()
        latest = now - self._hold_seconds / 2
        self._send({owner: now for owner in owners if self._shared.get(owner, 0.0) <= latest})

    def _send(self, times: dict[str, float]) -> None:
        if times and self.forward is not None and self._hold_seconds:
            self._shared |= times
            self.forward(times)

    def receive(self, times: Mapping[str, float]) -> None:
        """Remember when calls were in progress at another replica. It knows that their owners have subscriptions."""
        now = self._clock()
        self._subscribers |= times.keys()
        for owner, at in times.items():
            # The other clock can be ahead of this one.
            self._received[owner] = max(self._received.get(owner, 0.0), min(at, now))
