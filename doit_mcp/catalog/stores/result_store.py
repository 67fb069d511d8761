"""Stores large results under handles, so that later calls can query them without the API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """How long a store keeps results, and the maximum size of one, and number and size for one owner and in total."""

    ttl_seconds: float = 1800.0
    result_bytes: int = 4 << 20
    per_owner: int = 20
    owner_bytes: int = 8 << 20
    total: int = 2_000
    total_bytes: int = 128 << 20

    @property
    def max_bytes(self) -> int:
        """The size up to which a result is stored."""
        return min(self.result_bytes, self.owner_bytes, self.total_bytes)


RESULT_LIMITS = ResultLimits()


class ResultStore(Protocol):
    """Stores results. Only its owner can read a result."""

    async def put(self, owner: str, data: bytes) -> str | None:
        """Store *data* and return a handle that is valid for at most half an hour; None if *data* is too large."""

    async def get(self, owner: str, handle: str) -> bytes | None:
        """Return what this *owner* stored under *handle*; None if it does not exist or has expired."""


class _Entry(NamedTuple):
    owner: str
    data: bytes
    expires_at: float


class MemoryResultStore:
    """Results in this process. If full, evicts the oldest results: first those of the owner, then any."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        new_handle: Callable[[], str] = lambda: secrets.token_urlsafe(18),
        limits: ResultLimits = RESULT_LIMITS,
    ) -> None:
        self._clock, self._new_handle, self._limits = clock, new_handle, limits
        # Oldest first, which is also the order of expiry.
        self._entries: dict[str, _Entry] = {}
        self._size = 0

    async def put(self, owner: str, data: bytes) -> str | None:
        """Store *data* for *owner* and return its handle; None if it is too large."""
        limits = self._limits
        if len(data) > limits.max_bytes:
            return None
        self._remove_expired()
        owned = [handle for handle, entry in self._entries.items() if entry.owner == owner]
        owned_bytes = sum(len(self._entries[handle].data) for handle in owned)
        while owned and (len(owned) >= limits.per_owner or owned_bytes + len(data) > limits.owner_bytes):
            owned_bytes -= len(self._entries[owned[0]].data)
            self._remove(owned.pop(0))
        while self._entries and (self._size + len(data) > limits.total_bytes or len(self._entries) >= limits.total):
            self._remove(next(iter(self._entries)))
        handle = self._new_handle()
        self._entries[handle] = _Entry(owner, data, self._clock() + limits.ttl_seconds)
        self._size += len(data)
        return handle

    async def get(self, owner: str, handle: str) -> bytes | None:
        """Return the data of *handle*; None if this *owner* does not have it."""
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
