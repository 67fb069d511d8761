"""Receipts of writes: clients that got no answer in time call again, and nothing must be done twice for that."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from ...process.memory import compact_copy

TTL_SECONDS = 120.0
"""ChatGPT gives up after about 60 seconds and calls again at once."""
MAX_RECEIPTS_PER_OWNER, MAX_RECEIPTS = 100, 10_000
MAX_ANSWER_BYTES = 32 << 10
"""Of one answer that is kept; of a larger one it is only known that it was done."""
MAX_TOTAL_BYTES = 64 << 20
"""Of all answers in one process; beyond it the oldest answers are forgotten, but not that the write was done."""
MAX_MIRRORED_RECEIPTS, MAX_MIRRORED_BYTES = 2_000, 16 << 20
"""Receipts, and bytes of their answers, that one process keeps beside those in Redis."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write that ended so many *age_seconds* ago. *done* is False where it is not known what became of it; *answer* is
    what it gave, b"" where that is not known or too large to keep."""

    answer: bytes
    done: bool
    age_seconds: float


class ReceiptStore(Protocol):
    """Where receipts are kept, by their owner and by a key that stands for one write."""

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> Receipt | None:
        """None: the write is the caller's to do, who must settle it. Else it was done a short while ago; one that is
        being done is waited for.

        Raises ToolError where it cannot be known whether the write was done, unless it is *idempotent*: then doing it
        twice has the effect of doing it once.
        """

    async def settle(
        self, owner: str, key: str, answer: bytes | None, *, known: bool = True, groups: Collection[str] = ()
    ) -> None:
        """The claimed write gave *answer*; None: it has surely not been done. Not *known*: it may have been.

        A write that is known to be done is in *groups*, which stand for what it was about.
        """

    async def forget(self, owner: str, key: str) -> None:
        """What was done no longer stands; a write that is being done stays."""

    async def forget_groups(self, groups: Collection[str]) -> None:
        """What was done in these groups no longer stands, whoever did it. Writes that may or may not have been done
        stay."""


@dataclass(slots=True, eq=False)
class _Entry:
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    settled_at: float = 0.0
    answer: bytes = b""
    done: bool = False
    groups: Collection[str] = ()


class MemoryReceiptStore:
    """Receipts in this process. The oldest make room: first the owner's own, then those of who has the most."""

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
        # Oldest first: a write moves to the young end when it is done.
        self._entries: dict[tuple[str, str], _Entry] = {}
        # Those that are known to be done, by group.
        self._groups: dict[str, set[tuple[str, str]]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> Receipt | None:
        """The receipt, or None for who has to do it."""
        while True:
            self._remove_expired()
            entry = self._entries.get((owner, key))
            if entry is None:
                self._make_room(owner)
                self._entries[owner, key] = _Entry()
                return None
            if entry.settled.is_set():
                return Receipt(entry.answer, entry.done, self._clock() - entry.settled_at)
            await entry.settled.wait()

    def force_claim(self, owner: str, key: str) -> None:
        """The write was claimed for all processes: what this one knew of it no longer counts."""
        if (owner, key) in self._entries:
            self._remove((owner, key)).settled.set()
        self._remove_expired()
        self._make_room(owner)
        self._entries[owner, key] = _Entry()

    async def settle(
        self, owner: str, key: str, answer: bytes | None, *, known: bool = True, groups: Collection[str] = ()
    ) -> None:
        """Keep the answer, or give the write free; wakes those who wait."""
        if (owner, key) not in self._entries:
            return
        entry = self._remove((owner, key))
        if answer is not None:
            entry.settled_at, entry.done = self._clock(), known
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
        """Forget it if it is settled."""
        if (entry := self._entries.get((owner, key))) is not None and entry.settled.is_set():
            self._remove((owner, key))

    async def forget_groups(self, groups: Collection[str]) -> None:
        """Forget what was done by anybody."""
        for group in groups:
            for place in list(self._groups.get(group, ())):
                self._remove(place)

    def _remove(self, place: tuple[str, str]) -> _Entry:
        entry = self._entries.pop(place)
        for group in entry.groups:
            self._groups[group].discard(place)
            if not self._groups[group]:
                del self._groups[group]
        entry.groups = ()
        self._bytes -= len(entry.answer)
        return entry

    def _evict_answers(self) -> None:
        """Forget the oldest answers while all together are too large."""
        if self._bytes > self._total_bytes:
            for entry in self._entries.values():
                self._bytes -= len(entry.answer)
                entry.answer = b""
                if self._bytes <= self._total_bytes:
                    return

    def _remove_expired(self) -> None:
        ended = self._clock() - self._ttl
        for place, entry in list(self._entries.items()):
            if entry.settled.is_set():
                if entry.settled_at > ended:
                    return
                self._remove(place)

    def _make_room(self, owner: str) -> None:
        own = [place for place in self._entries if place[0] == owner]
        if len(own) >= self._per_owner:
            self._evict_oldest(own)
        elif len(self._entries) >= self._total:
            most, _ = Counter(whose for whose, _ in self._entries).most_common(1)[0]
            self._evict_oldest([place for place in self._entries if place[0] == most])

    def _evict_oldest(self, places: list[tuple[str, str]]) -> None:
        """Forget the oldest of *places* that is done; if none is, one that is being done is no longer waited for."""
        place = next((one for one in places if self._entries[one].settled.is_set()), places[0])
        self._remove(place).settled.set()
