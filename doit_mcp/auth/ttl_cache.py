"""A bounded cache whose entries expire; the oldest make room for new ones."""

from __future__ import annotations

from collections.abc import Callable, KeysView
from typing import Generic, TypeVar

T = TypeVar("T")


class TtlCache(Generic[T]):
    """At most *max_entries* values by key (a digest), each until its expiry in epoch seconds."""

    def __init__(self, max_entries: int, clock: Callable[[], float]) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._entries: dict[bytes, tuple[float, T]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def keys(self) -> KeysView[bytes]:
        """Return a live view of the keys, which may include expired ones."""
        return self._entries.keys()

    def get(self, key: bytes) -> T | None:
        """Return the value of *key*, or None if it is missing or expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        return entry[1]

    def expiry(self, key: bytes) -> float:
        """Return when the value of *key* expires, in epoch seconds; 0 if it is missing."""
        return self._entries[key][0] if key in self._entries else 0.0

    def put(self, key: bytes, value: T, expires: float) -> None:
        """Store *value* until *expires*, in epoch seconds; an expired one only removes the old value."""
        self._entries.pop(key, None)
        if expires <= self._clock():
            return
        while len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (expires, value)

    def pop(self, key: bytes) -> None:
        """Remove the value of *key*, if any."""
        self._entries.pop(key, None)
