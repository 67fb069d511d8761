"""Owns the memory of the identity provider: things kept for a while, and never more than so many."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


def hash_secret(secret: str) -> str:
    """SHA-256 of a bearer secret in hex: what is stored and compared in its place."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class TtlStore(Generic[Value]):
    """At most *limit* things, each forgotten after its lifetime in seconds; when it is full, the oldest goes."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._items: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def put(self, key: str, value: Value, lifetime: float) -> None:
        """Remember *value*; what was known under *key* is replaced and counts as new."""
        self._items.pop(key, None)
        if len(self._items) >= self._limit:
            self._evict_expired()
        while len(self._items) >= self._limit:
            self._items.popitem(last=False)
        self._items[key] = (self._clock() + lifetime, value)

    def get(self, key: str) -> Value | None:
        """What is known under *key*, unless its time is over."""
        found = self._items.get(key)
        if found is None:
            return None
        if found[0] <= self._clock():
            del self._items[key]
            return None
        return found[1]

    def replace(self, key: str, value: Value) -> None:
        """Change what is known under *key*, keeping its place and its end; an unknown key stays unknown."""
        if key in self._items:
            self._items[key] = (self._items[key][0], value)

    def pop(self, key: str) -> Value | None:
        """Forget *key*, and say what it was."""
        found = self.get(key)
        self._items.pop(key, None)
        return found

    def _evict_expired(self) -> None:
        now = self._clock()
        for key in [key for key, (end, _) in self._items.items() if end <= now]:
            del self._items[key]
