"""Bounds what runs at the same time, in total and for each host, so that no customer or user can take all slots."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from .store import Owner


class _Queue(NamedTuple):
    """What the tasks that wait in one queue have in common."""

    owner: str
    host: str


@dataclass(slots=True)
class _Pool:
    """*total* slots. A customer gets one while it holds fewer than are free, so there is always one for another.

    Within half of the slots, the same holds for the users of a customer.
    """

    total: int
    held: int = 0
    held_by: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def has_room(self, tenant: str, owner: str) -> bool:
        of_tenant = self.held_by[tenant,]
        within_tenant = (self.total + 1) // 2 - of_tenant
        return of_tenant < self.total - self.held and self.held_by[tenant, owner] < within_tenant

    def add(self, tenant: str, owner: str, amount: int) -> None:
        self.held += amount
        for key in ((tenant,), (tenant, owner)):
            self.held_by[key] += amount
            if not self.held_by[key]:
                del self.held_by[key]


class FairSlots:
    """At most *total* slots, and *per_host* of them for one host. Customers that wait take turns, and so do their users."""

    def __init__(self, total: int, per_host: int) -> None:
        self._all, self._per_host = _Pool(total), per_host
        # Hosts and customers without tasks are forgotten.
        self._hosts: dict[str, _Pool] = {}
        self._waiting: dict[str, dict[_Queue, deque[asyncio.Future[None]]]] = {}

    @asynccontextmanager
    async def use(self, owner: Owner, host: str) -> AsyncIterator[None]:
        """Hold a slot for *owner* while the block runs, after waiting for one."""
        await self.acquire(owner, host)
        try:
            yield
        finally:
            self.release(owner, host)

    async def acquire(self, owner: Owner, host: str) -> None:
        """Wait for a slot. It is held until :meth:`release`."""
        tenant, queue = owner.tenant, _Queue(owner.key, host)
        if queue not in self._waiting.get(tenant, ()) and self._try_take(tenant, queue):
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, {}).setdefault(queue, deque()).append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self.release(owner, host)
            elif granted in self._waiting.get(tenant, {}).get(queue, ()):
                self._remove_waiting(tenant, queue, granted)
            raise

    def release(self, owner: Owner, host: str) -> None:
        """Give up a slot."""
        self._give_back(owner.tenant, _Queue(owner.key, host))
        self._grant_free_slots()

    def _try_take(self, tenant: str, queue: _Queue) -> bool:
        """Take a slot if there is room. Return whether there was."""
        pool = self._hosts.get(queue.host) or _Pool(self._per_host)
        if not self._all.has_room(tenant, queue.owner) or not pool.has_room(tenant, queue.owner):
            return False
        self._hosts[queue.host] = pool
        for each in (self._all, pool):
            each.add(tenant, queue.owner, 1)
        return True

    def _give_back(self, tenant: str, queue: _Queue) -> None:
        pool = self._hosts[queue.host]
        for each in (self._all, pool):
            each.add(tenant, queue.owner, -1)
        if not pool.held:
            del self._hosts[queue.host]

    def _grant_free_slots(self) -> None:
        """Give free slots to tasks that wait: one to each customer in turn, until there is no room for any."""
        tenants = deque(self._waiting)
        while tenants and self._all.held < self._all.total:
            tenant = tenants.popleft()
            queue = next((queue for queue in self._waiting[tenant] if self._try_take(tenant, queue)), None)
            if queue is None:
                continue
            granted = self._waiting[tenant][queue][0]
            self._remove_waiting(tenant, queue, granted)
            if granted.done():
                # Its task was canceled, and has not run since.
                self._give_back(tenant, queue)
            else:
                granted.set_result(None)
            # To the end of the line, and so is the user of this customer.
            if tenant in self._waiting:
                tenants.append(tenant)
                queues = self._waiting[tenant] = self._waiting.pop(tenant)
                if queue in queues:
                    queues[queue] = queues.pop(queue)

    def _remove_waiting(self, tenant: str, queue: _Queue, granted: asyncio.Future[None]) -> None:
        queues = self._waiting[tenant]
        queues[queue].remove(granted)
        if not queues[queue]:
            del queues[queue]
        if not queues:
            del self._waiting[tenant]
