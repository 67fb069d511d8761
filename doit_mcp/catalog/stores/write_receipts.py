"""Receipts of writes, so that a client that retries after a timeout gets the first result."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ...process.memory import compact_copy

TTL_SECONDS = 120.0
"""ChatGPT gives up after about 60 seconds and immediately calls again."""
MAX_RECEIPTS_PER_OWNER, MAX_RECEIPTS = 100, 10_000
MAX_ANSWER_BYTES = 32 << 10
"""Maximum size of a stored result. For a larger one, only the success of the write is stored."""
MAX_TOTAL_BYTES = 64 << 20
"""Maximum size of all results in one process. Beyond it, the oldest results are dropped, but not their receipts."""
MAX_MIRRORED_RECEIPTS, MAX_MIRRORED_BYTES = 2_000, 16 << 20
"""Maximum receipts in Redis, and bytes of their results, of which one process keeps a copy."""

EntryKey = tuple[str, str]
"""The owner and the key of a write."""


class Receipt(NamedTuple):
    """A write that ended *age_seconds* ago.

    *done* is False if its outcome is unknown. *answer* is its result, b"" if unknown or too large to store.
    """

    answer: bytes
    done: bool
    age_seconds: float


class ReceiptStore(Protocol):
    """Stores receipts by owner and by a key that identifies one write."""

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> Receipt | None:
        """Claim a write. None means that the caller must do it and then call settle(); otherwise it was done recently.

        Waits for a write in progress. Raises ToolError if it is unknown whether the write was done, unless it is
        *idempotent*, so that repeating it is harmless.
        """

    async def settle(
        self,
        owner: str,
        key: str,
        answer: bytes | None,
        *,
        known: bool = True,
        groups: Collection[str] = (),
        lifetime_seconds: float | None = None,
    ) -> None:
        """Record the result of a claimed write; *answer* None means that it was certainly not done.

        *known* is False if it is unknown whether the write was done. If it was, its receipt joins *groups*, which
        identify the objects of the write. The receipt lasts *lifetime_seconds*, by default as long as all others.
        """

    async def forget(self, owner: str, key: str) -> None:
        """Drop the receipt of a completed write whose effect no longer holds; a write in progress is kept."""

    async def forget_groups(self, groups: Collection[str]) -> None:
        """Drop the receipts of completed writes in these groups, of any owner.

        Writes with an unknown outcome are kept.
        """


@dataclass(slots=True, eq=False)
class _Entry:
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    settled_at: float = 0.0
    expires_at: float = 0.0
    answer: bytes = b""
    done: bool = False
    groups: Collection[str] = ()


class MemoryReceiptStore:
    """Receipts in this process.

    If full, evicts the oldest: first those of the owner, then those of the owner with the most receipts.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        ttl: float = TTL_SECONDS,
        per_owner: int = MAX_RECEIPTS_PER_OWNER,
        total: int = MAX_RECEIPTS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self._clock, self._ttl = clock, ttl
        self._per_owner, self._total, self._max_answer_bytes, self._total_bytes = (
            per_owner,
            total,
            max_answer_bytes,
            total_bytes,
        )
        self._bytes = 0
        # Oldest first: a write moves to the end when it is settled.
        self._entries: dict[EntryKey, _Entry] = {}
        # Keys of writes that were done, by group.
        self._groups: dict[str, set[EntryKey]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> Receipt | None:
        """Return the receipt; None if the caller must do the write."""
        while True:
            self._remove_expired()
            entry = self._entries.get((owner, key))
            if entry is not None and self._is_expired(entry):
                self._remove((owner, key))
                entry = None
            if entry is None:
                self._make_room(owner)
                self._entries[owner, key] = _Entry()
                return None
            if entry.settled.is_set():
                return Receipt(entry.answer, entry.done, self._clock() - entry.settled_at)
            await entry.settled.wait()

    def force_claim(self, owner: str, key: str) -> None:
        """Claim a write that was claimed across all processes, and discard the receipt in this process."""
        if (owner, key) in self._entries:
            self._remove((owner, key)).settled.set()
        self._remove_expired()
        self._make_room(owner)
        self._entries[owner, key] = _Entry()

    async def settle(
        self,
        owner: str,
        key: str,
        answer: bytes | None,
        *,
        known: bool = True,
        groups: Collection[str] = (),
        lifetime_seconds: float | None = None,
    ) -> None:
        """Store the result or release the claim, and wake the calls that wait for it."""
        if (owner, key) not in self._entries:
            return
        entry = self._remove((owner, key))
        if answer is not None:
            entry.settled_at, entry.done = self._clock(), known
            entry.expires_at = entry.settled_at + (self._ttl if lifetime_seconds is None else lifetime_seconds)
            entry.answer = compact_copy(answer) if known and len(answer) <= self._max_answer_bytes else b""
            self._entries[owner, key] = entry
            if known:
                entry.groups = groups
                for group in groups:
                    self._groups.setdefault(group, set()).add((owner, key))
            self._bytes += len(entry.answer)
            self._evict_answers()
        entry.settled.set()

    async def forget(self, owner: str, key: str) -> None:
        """Drop the receipt if it is settled."""
        if (entry := self._entries.get((owner, key))) is not None and entry.settled.is_set():
            self._remove((owner, key))

    async def forget_groups(self, groups: Collection[str]) -> None:
        """Drop the receipts in these groups, of any owner."""
        for group in groups:
            for entry_key in list(self._groups.get(group, ())):
                self._remove(entry_key)

    def _remove(self, entry_key: EntryKey) -> _Entry:
        entry = self._entries.pop(entry_key)
        for group in entry.groups:
            self._groups[group].discard(entry_key)
            if not self._groups[group]:
                del self._groups[group]
        entry.groups = ()
        self._bytes -= len(entry.answer)
        return entry

    def _evict_answers(self) -> None:
        """Drop the oldest results while their total size exceeds the limit."""
        if self._bytes > self._total_bytes:
            for entry in self._entries.values():
                self._bytes -= len(entry.answer)
                entry.answer = b""
                if self._bytes <= self._total_bytes:
                    return

    def _remove_expired(self) -> None:
        """Remove the oldest receipts that have expired. Others stay until the older ones that last longer expire."""
        for entry_key, entry in list(self._entries.items()):
            if entry.settled.is_set():
                if not self._is_expired(entry):
                    return
                self._remove(entry_key)

    def _is_expired(self, entry: _Entry) -> bool:
        return entry.settled.is_set() and entry.expires_at <= self._clock()

    def _make_room(self, owner: str) -> None:
        owned = self._entry_keys(owner)
        if len(owned) >= self._per_owner:
            self._evict_oldest(owned)
        elif len(self._entries) >= self._total:
            [(largest_owner, _)] = Counter(entry_owner for entry_owner, _ in self._entries).most_common(1)
            self._evict_oldest(self._entry_keys(largest_owner))

    def _entry_keys(self, owner: str) -> list[EntryKey]:
        return [entry_key for entry_key in self._entries if entry_key[0] == owner]

    def _evict_oldest(self, entry_keys: list[EntryKey]) -> None:
        """Evict the oldest settled entry. If all are in progress, evict the oldest and wake those that wait for it."""
        settled = (entry_key for entry_key in entry_keys if self._entries[entry_key].settled.is_set())
        self._remove(next(settled, entry_keys[0])).settled.set()
