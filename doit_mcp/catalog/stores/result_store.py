"""Stores large results under handles, so that later calls can query them without the API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

TTL_SECONDS = 1800.0
MAX_RESULT_BYTES = 4 << 20
"""Size of one result; a larger one is not stored."""
MAX_RESULTS_PER_OWNER = 20
MAX_BYTES_PER_OWNER = 8 << 20
MAX_TOTAL_BYTES = 128 << 20
MAX_RESULTS = 2_000


class ResultStore(Protocol):
    """Stores results. Only its owner can read a result."""

    async def put(self, owner: str, data: bytes) -> str | None:
        """Store *data* and return a handle that is valid for at most half an hour; None if *data* is too large."""

    async def get(self, owner: str, handle: str) -> bytes | None:
        """Return what this *owner* stored under *handle*; None if it does not exist or has expired."""


@dataclass(frozen=True, slots=True)
class _Entry:
    owner: str
    data: bytes
    expires_at: float


class MemoryResultStore:
    """Results in this process. If full, evicts the oldest results: first those of the owner, then any."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        new_handle: Callable[[], str] = lambda: secrets.token_urlsafe(18),
        *,
        ttl: float = TTL_SECONDS,
        max_result_bytes: int = MAX_RESULT_BYTES,
        per_owner: int = MAX_RESULTS_PER_OWNER,
        owner_bytes: int = MAX_BYTES_PER_OWNER,
        total_bytes: int = MAX_TOTAL_BYTES,
        total: int = MAX_RESULTS,
    ) -> None:
        self._clock, self._new_handle, self._ttl = clock, new_handle, ttl
        self._max_result_bytes, self._per_owner, self._owner_bytes = max_result_bytes, per_owner, owner_bytes
        self._total_bytes, self._total = total_bytes, total
        # Oldest first, which is also the order of expiry.
        self._entries: dict[str, _Entry] = {}
        self._size = 0

    async def put(self, owner: str, data: bytes) -> str | None:
        """Store *data* for *owner* and return its handle; None if it is too large."""
        if len(data) > min(self._max_result_bytes, self._owner_bytes, self._total_bytes):
            return None
        self._remove_expired()
        owned = [handle for handle, entry in self._entries.items() if entry.owner == owner]
        owned_bytes = sum(len(self._entries[handle].data) for handle in owned)
        while owned and (len(owned) >= self._per_owner or owned_bytes + len(data) > self._owner_bytes):
            owned_bytes -= len(self._entries[owned[0]].data)
            self._remove(owned.pop(0))
        while self._entries and (self._size + len(data) > self._total_bytes or len(self._entries) >= self._total):
            self._remove(next(iter(self._entries)))
        handle = self._new_handle()
        self._entries[handle] = _Entry(owner, data, self._clock() + self._ttl)
        self._size += len(data)
        return handle

    async def get(self, owner: str, handle: str) -> bytes | None:
        """Return the data of *handle*; None if this *owner* has no such handle."""
        self._remove_expired()
        entry = self._entries.get(handle)
        return entry.data if entry is not None and entry.owner == owner else None

    def _remove_expired(self) -> None:
        now = self._clock()
        while self._entries:
            handle, entry = next(iter(self._entries.items()))
            if entry.expires_at > now:
                return
            self._remove(handle)

    def _remove(self, handle: str) -> None:
        self._size -= len(self._entries.pop(handle).data)
