"""Limits how much an owner holds at all replicas together.

Each replica reports how much it holds, not how much it added or removed, so a lost or repeated report does no lasting
harm.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import islice

from ..process.task_cancellation import cancel_tasks
from ..resilience.limits import LimitExceeded
from ..resilience.unavailable import StateUnavailable
from .connection import SHORT_TIMEOUT_SECONDS, RedisConnection
from .encryption import Encryptor
from .scripts import load_script

# Reports expire in Redis after this time. Every heartbeat repeats them.
TTL_SECONDS = 60.0
MAX_OWNERS_PER_MESSAGE = 100
# Maximum of owners whose reports wait while Redis is unavailable. The reports of others expire meanwhile.
MAX_PENDING_OWNERS = 10_000

RESERVE_SCRIPT = load_script("reserve_quota")
REPORT_SCRIPT = load_script("report_quota_counts")


class RedisQuota:
    """Implements :class:`~doit_mcp.resilience.limits.SharedLimiter` for resources of one *kind*.

    *count_local* returns how much an owner holds in this process. After :meth:`acquire` the caller takes its share
    without awaiting anything. The next report corrects what was acquired but not taken. While Redis is unavailable each
    replica admits up to the whole *limit*. *message* and *retry_after* are those of LimitExceeded.
    """

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        kind: str,
        replica: str,
        *,
        limit: int,
        count_local: Callable[[str], int],
        message: str,
        retry_after: float = 2.0,
    ) -> None:
        self._connection, self._encryptor, self._kind, self._replica = connection, encryptor, kind, replica
        self._limit, self._count_local = limit, count_local
        self._message, self._retry_after = message, retry_after
        self._replicas = connection.key("replica", "")
        self._number = 0
        # Amounts of requests in progress, by owner.
        self._requested: Counter[str] = Counter()
        # The last report that Redis has, by owner: its number and count. Then the owners that must be reported again.
        self._reported: dict[str, tuple[int, int]] = {}
        self._pending: dict[str, None] = {}
        self._report_task: asyncio.Task[None] | None = None
        self._closed = False

    async def acquire(self, owner: str, amount: int = 1) -> None:
        """Reserve *amount* for *owner*. Raise LimitExceeded, and reserve nothing, at the limit."""
        count = self._local_count(owner) + amount
        if count > self._limit:
            raise LimitExceeded("owner", self._retry_after, self._message)
        number = self._next_number()
        self._requested[owner] += amount
        admitted = None
        try:
            arguments = (self._replica, number, count, self._limit, self._replicas, int(TTL_SECONDS * 1000))
            admitted = await self._connection.run_script(
                RESERVE_SCRIPT, [self._key(owner)], *arguments, max_wait=SHORT_TIMEOUT_SECONDS
            )
        except StateUnavailable:
            return
        finally:
            self._requested[owner] -= amount
            if not self._requested[owner]:
                del self._requested[owner]
            if admitted is None:
                # Redis may or may not have counted it.
                self._mark_pending(owner)
            elif admitted:
                self._record_reported(owner, number, count)
            # By the time this runs the caller has taken what it reserved.
            asyncio.get_running_loop().call_soon(self.release, owner)
        if not admitted:
            raise LimitExceeded("owner", self._retry_after, self._message)

    def release(self, owner: str, amount: int = 1) -> None:
        """Report what *owner* holds now, without waiting: *amount* less, or less what was reserved but not taken."""
        if self._requested[owner]:
            # The request in progress reports it, and calls this method when it ends.
            return
        if owner in self._pending or self._reported_count(owner) != self._count_local(owner):
            self._mark_pending(owner)
            self._schedule_report()

    async def renew_all(self) -> None:
        """Report everything again: reports expire, and a restarted Redis has none."""
        self._pending |= dict.fromkeys(self._reported)
        self._schedule_report()

    async def close(self) -> None:
        """Stop reporting (shutdown)."""
        self._closed = True
        if self._report_task is not None:
            await cancel_tasks(self._report_task)

    def _mark_pending(self, owner: str) -> None:
        self._pending[owner] = None
        if len(self._pending) > MAX_PENDING_OWNERS:
            del self._pending[next(iter(self._pending))]

    def _schedule_report(self) -> None:
        idle = self._report_task is None or self._report_task.done()
        if idle and self._pending and not (self._connection.unavailable or self._closed):
            self._report_task = asyncio.create_task(self._report_pending())

    async def _report_pending(self) -> None:
        """Report all pending owners, many per message."""
        while self._pending:
            owners = list(islice(self._pending, MAX_OWNERS_PER_MESSAGE))
            counts = [self._local_count(owner) for owner in owners]
            number = self._next_number()
            for owner in owners:
                del self._pending[owner]
            keys = [self._key(owner) for owner in owners]
            try:
                await self._connection.run_script(
                    REPORT_SCRIPT, keys, self._replica, int(TTL_SECONDS * 1000), number, *counts
                )
            except StateUnavailable:
                # The next heartbeat reports them.
                self._pending |= dict.fromkeys(owners)
                return
            for owner, count in zip(owners, counts, strict=True):
                self._record_reported(owner, number, count)
                if count != self._local_count(owner):
                    self._pending[owner] = None

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _reported_count(self, owner: str) -> int:
        return self._reported[owner][1] if owner in self._reported else 0

    def _record_reported(self, owner: str, number: int, count: int) -> None:
        """Record that Redis has this report, unless it has a newer one."""
        if owner not in self._reported or number > self._reported[owner][0]:
            if count:
                self._reported[owner] = number, count
            else:
                self._reported.pop(owner, None)

    def _local_count(self, owner: str) -> int:
        return self._count_local(owner) + self._requested[owner]

    def _key(self, owner: str) -> str:
        return self._connection.key(f"{self._kind}-in-use", self._encryptor.hash_name(owner))
