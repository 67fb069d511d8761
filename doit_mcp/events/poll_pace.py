"""How often lists are polled without a cause, so that the polls of a customer fit into its call budget. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from .store import Owner

ROUTINE_SHARE = 0.5
"""The part of the call budget that routine polls use at most. The rest is for urgent requests."""


class _Round(NamedTuple):
    """The requests to the API for one poll of each list of a mailbox."""

    tenant: str
    requests: int


class PollPace:
    """The interval of routine polls, by customer: *poll_seconds*, or more if a customer has many users.

    Each worker states how many requests a round of its polls takes. Mailboxes that other replicas work on count with the
    average of those of this one.
    """

    def __init__(self, poll_seconds: float, calls_per_minute: int) -> None:
        self.poll_seconds = poll_seconds
        self._requests_per_second = calls_per_minute / 60 * ROUTINE_SHARE
        self._rounds: dict[str, _Round] = {}
        # By customer: mailboxes at all replicas, mailboxes at this one, and the requests for a round of these.
        self._owners, self._mailboxes, self._requests = Counter[str](), Counter[str](), Counter[str]()

    def keep_owners(self, owners: Collection[Owner]) -> None:
        """Set the owners of mailboxes at all replicas."""
        self._owners = Counter(owner.tenant for owner in owners)

    def set_round(self, owner: Owner, requests: int) -> None:
        """Set how many requests a round of polls for the mailbox of *owner* takes; 0 if this replica makes none."""
        before = self._rounds.pop(owner.key, _Round(owner.tenant, 0))
        if requests:
            self._rounds[owner.key] = _Round(owner.tenant, requests)
        self._mailboxes[owner.tenant] += bool(requests) - bool(before.requests)
        self._requests[owner.tenant] += requests - before.requests
        if not self._mailboxes[owner.tenant]:
            del self._mailboxes[owner.tenant], self._requests[owner.tenant]

    def interval_seconds(self, tenant: str) -> float:
        """Return the average interval of the routine polls of a list for a user of *tenant*."""
        here = self._mailboxes[tenant]
        requests = self._requests[tenant] * max(1.0, self._owners[tenant] / here) if here else self._owners[tenant]
        return max(self.poll_seconds, requests / self._requests_per_second)

    @property
    def longest_seconds(self) -> float:
        """The longest interval of the customers that this replica polls for, 0 without any."""
        return max(map(self.interval_seconds, self._mailboxes), default=0.0)
