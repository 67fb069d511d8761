"""The events of this process: leases of mailboxes and their workers, calls of users, and reports of the operator."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ..process.task_cancellation import cancel_tasks
from ..protocol.jsonrpc import JsonObject
from ..resilience.unavailable import StateUnavailable
from . import mailbox, recording
from .ingest import Report
from .store import Owner
from .subscriptions import KEPT_AFTER_END_SECONDS, Granted, Subscriber, Subscriptions
from .worker import LeaseLost, MailboxWorker
from .worker_parts import Parts

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
LEASE_TICKS = 3
"""Leases are renewed, and abandoned mailboxes are taken over, at every third tick."""


class EventService:
    """Handles requests about events, and works on mailboxes while :meth:`running`."""

    def __init__(self, subscriptions: Subscriptions, parts: Parts, *, tick_seconds: float = TICK_SECONDS) -> None:
        self._subscriptions, self._parts, self._tick_seconds = subscriptions, parts, tick_seconds
        self._workers: dict[str, tuple[MailboxWorker, asyncio.Task[None]]] = {}

    @property
    def subscription_count(self) -> int:
        """The number of subscriptions that this replica works on."""
        return sum(worker.subscription_count for worker, _ in self._workers.values())

    @property
    def pending_count(self) -> int:
        """The number of deliveries that wait at this replica."""
        return sum(worker.pending_count for worker, _ in self._workers.values())

    @property
    def suspended_count(self) -> int:
        """The number of suspended subscriptions at this replica."""
        return sum(worker.suspended_count for worker, _ in self._workers.values())

    @property
    def oldest_wait_seconds(self) -> float:
        """How long the oldest delivery at this replica has waited, 0 if none waits."""
        times = [worker.oldest_delivery for worker, _ in self._workers.values() if worker.oldest_delivery is not None]
        return max(0.0, self.now - min(times)) if times else 0.0

    @property
    def poll_interval_seconds(self) -> float:
        """The longest interval of the routine polls for a customer at this replica, 0 if it makes none."""
        return self._parts.pace.longest_seconds

    @property
    def now(self) -> float:
        """The current time, in epoch seconds."""
        return self._parts.clock()

    async def subscribe(self, subscriber: Subscriber, params: JsonObject, declares_extension: bool) -> Granted:
        """Create or refresh a subscription. Raise EventError and StateUnavailable."""
        granted = await self._subscriptions.subscribe(subscriber, params, declares_extension)
        self._parts.calls.add_subscriber(subscriber.owner)
        await self._start_if_leased(Owner(subscriber.owner, subscriber.tenant, 0))
        return granted

    async def unsubscribe(self, subscriber: Subscriber, params: JsonObject) -> str:
        """Remove a subscription and return its id. Raise EventError and StateUnavailable."""
        return await self._subscriptions.unsubscribe(subscriber, params)

    async def poll(self, subscriber: Subscriber, params: JsonObject) -> JsonObject:
        """Return the result of ``events/poll``. Raise EventError and StateUnavailable."""
        return await self._subscriptions.poll(subscriber, params)

    async def recent(self, owner: str) -> list[JsonObject]:
        """Return the events that were recorded for *owner*, oldest first. Raise StateUnavailable."""
        return await self._subscriptions.recent(owner)

    async def ingest(self, report: Report) -> int:
        """Record a reported event for all subscribers of its customer. Return how many. Raise StateUnavailable."""
        store, count = self._parts.store, 0
        for owner in await store.owners():
            if owner.tenant != report.tenant:
                continue
            fields, _ = await store.load(owner.key)
            change = recording.record(fields, [report.item], owner.tenant, self._parts.clock())
            if change:
                expires = mailbox.mailbox_end(fields) + KEPT_AFTER_END_SECONDS
                version = await store.update(owner.key, change, expires, leased=False)
                self._parts.on_drop(change.dropped)
                if (running := self._workers.get(owner.key)) is not None:
                    running[0].receive_change(change, version)
            count += 1
        return count

    @contextmanager
    def call_running(self, owner: str) -> Iterator[None]:
        """Count a call of *owner* as in progress while the block runs: events wait until the turn is over."""
        self._parts.calls.begin(owner)
        try:
            yield
        finally:
            self._parts.calls.end(owner)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work on mailboxes while the block runs."""
        async with self._parts.sender:
            loop = asyncio.create_task(self._run_loop())
            try:
                yield
            finally:
                held = list(self._workers)
                await cancel_tasks(loop, *(task for _, task in self._workers.values()))
                self._workers.clear()
                try:
                    await self._parts.store.release(held)
                except StateUnavailable:
                    log.debug("leases of mailboxes were not released; they expire")

    async def _run_loop(self) -> None:
        ticks = 0
        while True:
            try:
                if ticks % LEASE_TICKS == 0:
                    await self._renew_leases()
                await self._check_versions()
                self._parts.calls.share_changes()
            except StateUnavailable:
                log.debug("mailboxes are unavailable")
            except Exception:
                log.exception("event mailbox loop failed; restarting it")
            ticks += 1
            await asyncio.sleep(self._tick_seconds)

    async def _renew_leases(self) -> None:
        owners = {owner.key: owner for owner in await self._parts.store.owners()}
        self._parts.calls.keep_subscribers(owners)
        self._parts.pace.keep_owners(owners.values())
        # Owners stay in the list for a while after their last subscription has ended.
        idle = list(owners.keys() - self._workers.keys())
        versions = dict(zip(idle, await self._parts.store.versions(idle), strict=True)) if idle else {}
        held = await self._parts.store.lease([*self._workers, *(key for key in idle if versions[key])])
        for key in held & owners.keys():
            self._start_worker(owners[key])
        await self._stop_workers(self._workers.keys() - held)

    async def _start_if_leased(self, owner: Owner) -> None:
        """Start to work on a mailbox at once, unless another replica does."""
        if owner.key in self._workers:
            self._workers[owner.key][0].receive_version(-1)
        elif owner.key in await self._parts.store.lease([owner.key]):
            self._start_worker(owner)

    def _start_worker(self, owner: Owner) -> None:
        running = self._workers.get(owner.key)
        if running is None or running[1].done():
            worker = MailboxWorker(owner, self._parts)
            self._workers[owner.key] = worker, asyncio.create_task(self._run_worker(owner.key, worker))

    async def _run_worker(self, key: str, worker: MailboxWorker) -> None:
        try:
            await worker.run()
        except (LeaseLost, StateUnavailable):
            log.debug("lost the lease of a mailbox; its next holder continues")
        except Exception:
            log.exception("the worker of a mailbox failed")
        finally:
            if (running := self._workers.get(key)) is not None and running[0] is worker:
                del self._workers[key]

    async def _stop_workers(self, keys: set[str]) -> None:
        tasks = [self._workers.pop(key)[1] for key in keys if key in self._workers]
        if tasks:
            await cancel_tasks(*tasks)

    async def _check_versions(self) -> None:
        keys = list(self._workers)
        if keys:
            for key, version in zip(keys, await self._parts.store.versions(keys), strict=True):
                self._pass_version(key, version)

    def _pass_version(self, key: str, version: int) -> None:
        if (running := self._workers.get(key)) is not None:
            running[0].receive_version(version)
