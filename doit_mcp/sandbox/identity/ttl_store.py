"""In-memory store of the identity provider: bounded, with a lifetime per item."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


def hash_secret(secret: str) -> str:
    """The SHA-256 of a bearer secret in hex, stored and compared in its place."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class TtlStore(Generic[Value]):
    """At most *limit* items with a lifetime in seconds each; a full store evicts the oldest."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._items: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def put(self, key: str, value: Value, lifetime: float) -> None:
        """Store *value*; an earlier value of *key* is replaced, and the item counts as new."""
        self._items.pop(key, None)
        if len(self._items) >= self._limit:
            self._evict_expired()
        while len(self._items) >= self._limit:
            self._items.popitem(last=False)
        self._items[key] = (self._clock() + lifetime, value)

    def get(self, key: str) -> Value | None:
        """The value of *key*, or None if it is unknown or expired."""
        item = self._items.get(key)
        if item is None:
            return None
        if item[0] <= self._clock():
            del self._items[key]
            return None
        return item[1]

    def replace(self, key: str, value: Value) -> None:
        """Replace the value of *key* without changing its position and expiry; unknown keys are ignored."""
        if key in self._items:
            self._items[key] = (self._items[key][0], value)

    def pop(self, key: str) -> Value | None:
        """Remove *key* and return its value."""
        value = self.get(key)
        self._items.pop(key, None)
        return value

    def _evict_expired(self) -> None:
        now = self._clock()
        for key in [key for key, (end, _) in self._items.items() if end <= now]:
            del self._items[key]
