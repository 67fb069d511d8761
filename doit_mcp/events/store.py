"""Mailboxes: what the server remembers of the subscriptions of one principal, and who works on them.

A mailbox is a set of named fields, each a JSON object. All fields of a principal change together, in one step, so that
an event and what has to be delivered are recorded at once, or not at all.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from ..protocol.jsonrpc import JsonObject

Fields = dict[str, JsonObject]

DropReason = Literal[
    "limit", "suspended", "failed", "gone", "too_large", "old", "not_listed", "unsubscribed", "expired", "revoked"
]
"""Why an event is not delivered: too many wait, or too many of a suspended subscription; the last attempt failed; the
receiver answered 410 or 413; the item is old, or its list no longer shows it; the client, time or the API ended the
subscription."""

MEMORY_LIFETIME_SECONDS = 900.0
"""Without Redis, subscriptions end with the process. Clients learn from the short lifetime to refresh soon."""
LEASE_SECONDS = 9.0
"""How long a mailbox belongs to a replica that no longer renews its lease."""
CONFLICT, NOT_LEASED = -1, -2
MAX_OWNERS, MAX_OWNERS_PER_CUSTOMER = 10_000, 2_000


class Snapshot(NamedTuple):
    """The fields of a mailbox, and its version, which every change raises by one. A missing mailbox has version 0."""

    fields: Fields
    version: int


@dataclass(slots=True)
class Change:
    """Fields to set and fields to delete. *dropped* counts the deliveries that are dropped with it, for metrics."""

    put: Fields = field(default_factory=dict)
    delete: set[str] = field(default_factory=set)
    dropped: Counter[DropReason] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.put or self.delete)

    def apply_to(self, fields: Fields) -> None:
        """Make the change to *fields*."""
        for name in self.delete:
            fields.pop(name, None)
        fields |= self.put

    def merge(self, other: Change) -> None:
        """Add the changes of *other*, which come later."""
        for name in other.put:
            self.delete.discard(name)
        for name in other.delete:
            self.put.pop(name, None)
        self.put |= other.put
        self.delete |= other.delete
        self.dropped += other.dropped


OnDrop = Callable[[Mapping[DropReason, int]], None]
"""Counts deliveries that were dropped, by reason."""


class Owner(NamedTuple):
    """An owner of a mailbox: its key, the *tenant* of its customer, and when the mailbox ends, in epoch seconds."""

    key: str
    tenant: str
    expires: float


class Mailboxes(Protocol):
    """Stores mailboxes. All methods raise StateUnavailable if the store cannot be reached."""

    @property
    def lifetime_seconds(self) -> float:
        """The longest lifetime of a subscription."""

    async def load(self, owner: str) -> Snapshot:
        """Return a mailbox, an empty one if it does not exist."""

    async def update(
        self, owner: str, change: Change, expires: float, *, expected: int | None = None, leased: bool = True
    ) -> int:
        """Apply *change* in one step and return the new version. The mailbox is kept at least until *expires*.

        With *expected*, return CONFLICT and change nothing if the mailbox has another version. Otherwise, if *leased*,
        return NOT_LEASED and change nothing if this replica does not hold the lease of the mailbox. Otherwise, return
        CONFLICT and change nothing if the mailbox does not exist.
        """

    async def drop(self, owner: str, version: int) -> None:
        """Delete a mailbox, unless it has another *version* by now."""

    async def versions(self, owners: Sequence[str]) -> list[int]:
        """Return the version of each mailbox."""

    async def add_owner(self, owner: Owner) -> None:
        """Put *owner* into the list of owners, or replace its entry, which stays there until *owner.expires*."""

    async def owners(self) -> list[Owner]:
        """Return all owners whose mailboxes have not ended."""

    async def lease(self, owners: Sequence[str]) -> set[str]:
        """Acquire or renew the leases of mailboxes for LEASE_SECONDS. Return those that this replica holds."""

    async def release(self, owners: Collection[str]) -> None:
        """Give up leases."""


class MemoryMailboxes:
    """Mailboxes of this process, which always holds the leases."""

    lifetime_seconds = MEMORY_LIFETIME_SECONDS

    def __init__(self) -> None:
        self._mailboxes: dict[str, Snapshot] = {}
        self._owners: dict[str, Owner] = {}
        self._versions = itertools.count(1)

    async def load(self, owner: str) -> Snapshot:
        """Return a mailbox, an empty one if it does not exist."""
        snapshot = self._mailboxes.get(owner, Snapshot({}, 0))
        return Snapshot(dict(snapshot.fields), snapshot.version)

    async def update(
        self, owner: str, change: Change, expires: float, *, expected: int | None = None, leased: bool = True
    ) -> int:
        """Apply *change*. Return the new version, or CONFLICT."""
        fields, version = self._mailboxes.get(owner, Snapshot({}, 0))
        if (version != expected) if expected is not None else not version:
            return CONFLICT
        change.apply_to(fields)
        # The first version is unique, so that a mailbox made again is not mistaken for the one that was dropped.
        self._mailboxes[owner] = Snapshot(fields, version + 1 if version else next(self._versions) << 32)
        return self._mailboxes[owner].version

    async def drop(self, owner: str, version: int) -> None:
        """Delete a mailbox, unless it has another *version* by now."""
        if owner in self._mailboxes and self._mailboxes[owner].version == version:
            del self._mailboxes[owner]
            del self._owners[owner]

    async def versions(self, owners: Sequence[str]) -> list[int]:
        """Return the version of each mailbox."""
        return [self._mailboxes[owner].version if owner in self._mailboxes else 0 for owner in owners]

    async def add_owner(self, owner: Owner) -> None:
        """Put *owner* into the list of owners."""
        self._owners[owner.key] = owner

    async def owners(self) -> list[Owner]:
        """Return all owners."""
        return list(self._owners.values())

    async def lease(self, owners: Sequence[str]) -> set[str]:
        """Return all *owners*."""
        return set(owners)

    async def release(self, owners: Collection[str]) -> None:
        """Do nothing: there is no other replica."""
