"""Bounds how many messages are sent at the same time: in total, and to each host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class HostSlots:
    """At most *total* slots, and *per_host* of them for one host. Waiting for a host takes no slot of others."""

    def __init__(self, total: int, per_host: int) -> None:
        self._total, self._per_host = asyncio.Semaphore(total), per_host
        # By host: its slots, and how many tasks use them or wait. Hosts without tasks are forgotten.
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def use(self, host: str) -> AsyncIterator[None]:
        """Hold a slot while the block runs, after waiting for one."""
        slots, count = self._hosts.get(host) or (asyncio.Semaphore(self._per_host), 0)
        self._hosts[host] = slots, count + 1
        try:
            async with slots, self._total:
                yield
        finally:
            slots, count = self._hosts.pop(host)
            if count > 1:
                self._hosts[host] = slots, count - 1
