"""Facts about customers that change slowly, such as their currency: a bounded cache in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

TTL_SECONDS = 600.0
MAX_FACT_BYTES = 64 << 10
"""Maximum size of one fact as JSON; a larger one is not cached."""
MAX_FACTS_PER_CUSTOMER = 32
MAX_FACTS = 10_000
MAX_TOTAL_BYTES = 32 << 20

_Key = tuple[str, str, str]


class _Entry(NamedTuple):
    data: bytes
    expires_at: float


class CustomerFacts:
    """The facts of all customers. If full, evicts the oldest: first those of the same customer, then any."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        ttl: float = TTL_SECONDS,
        max_fact_bytes: int = MAX_FACT_BYTES,
        per_customer: int = MAX_FACTS_PER_CUSTOMER,
        total: int = MAX_FACTS,
        total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self._clock, self._ttl, self._max_fact_bytes = clock, ttl, max_fact_bytes
        self._per_customer, self._total, self._total_bytes = per_customer, total, total_bytes
        # Oldest first, which is also the order of expiry.
        self._entries: dict[_Key, _Entry] = {}
        self._names: dict[tuple[str, str], list[str]] = {}
        self._size = 0

    def for_customer(self, owner: str, customer: str | None) -> Facts:
        """Return the facts that this *owner* knows about a *customer*. No other owner or customer shares them."""
        return Facts(self, owner, customer or "")

    def get(self, owner: str, customer: str, name: str) -> Any:
        """Return a fact; None if it is unknown or too old."""
        self._remove_expired()
        entry = self._entries.get((owner, customer, name))
        return None if entry is None else orjson.loads(entry.data)

    def put(self, owner: str, customer: str, name: str, value: Any, max_bytes: int | None = None) -> None:
        """Remember a fact, a JSON value, for a while; one that is too large is not remembered.

        *max_bytes* replaces the usual limit of one fact.
        """
        data, key = orjson.dumps(value), (owner, customer, name)
        if key in self._entries:
            self._remove(key)
        if len(data) > min(self._max_fact_bytes if max_bytes is None else max_bytes, self._total_bytes):
            return
        self._remove_expired()
        names = self._names.setdefault((owner, customer), [])
        if len(names) >= self._per_customer:
            self._remove((owner, customer, names[0]))
        while self._entries and (len(self._entries) >= self._total or self._size + len(data) > self._total_bytes):
            self._remove(next(iter(self._entries)))
        self._entries[key] = _Entry(data, self._clock() + self._ttl)
        # Removing the last fact of a customer also removes the list of names.
        self._names.setdefault((owner, customer), []).append(name)
        self._size += len(data)

    def _remove_expired(self) -> None:
        now = self._clock()
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.expires_at > now:
                return
            self._remove(key)

    def _remove(self, key: _Key) -> None:
        self._size -= len(self._entries.pop(key).data)
        owner, customer, name = key
        names = self._names[owner, customer]
        names.remove(name)
        if not names:
            del self._names[owner, customer]


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that one owner knows about one customer."""

    _store: CustomerFacts
    _owner: str
    _customer: str

    def get(self, name: str) -> Any:
        """Return a fact; None if it is unknown or too old."""
        return self._store.get(self._owner, self._customer, name)

    def put(self, name: str, value: Any, max_bytes: int | None = None) -> None:
        """Remember a fact, a JSON value, for a while; one that is too large is not remembered.

        *max_bytes* replaces the usual limit of one fact.
        """
        self._store.put(self._owner, self._customer, name, value, max_bytes)
