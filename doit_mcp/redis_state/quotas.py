"""Counts: how much of something each owner has at all replicas together, so that a limit is one for all of them.

Each replica says how much it holds, never what was added or taken away, so nothing that is lost or comes twice lasts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import islice

from .connection import SHORT_TIMEOUT_SECONDS, RedisConnection
from .encryption import Encryptor
from .errors import Unavailable
from .scripts import load_script

# What is not said again for so long is forgotten; it is said again at every beat (seconds).
TTL_SECONDS = 60.0
MAX_OWNERS_PER_MESSAGE = 100
# Of those who had something while Redis was away so many are remembered; what it knew of others has ended by itself.
MAX_PENDING_OWNERS = 10_000

TAKE_SCRIPT = load_script("reserve_quota")
REPORT_SCRIPT = load_script("report_quota_counts")


class Quotas:
    """What owners have of one *kind*; *held* tells how much of it an owner has here.

    Who wants one more asks for room, and then takes it without waiting for anything between; what is not taken, or is
    given back, is put right afterwards. While Redis is away each replica has the whole limit for itself.
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
    ) -> None:
        self._connection, self._encryptor, self._kind, self._replica = connection, encryptor, kind, replica
        self._limit, self._count_local = limit, count_local
        self._replicas = connection.key("replica", "")
        self._number = 0
        # Places that are being asked for.
        self._requested: Counter[str] = Counter()
        # What Redis knows, by owner, and the number of that message; and who has to be said anew.
        self._reported: dict[str, tuple[int, int]] = {}
        self._pending: dict[str, None] = {}
        self._report_task: asyncio.Task[None] | None = None
        self._closed = False

    async def has_room(self, owner: str) -> bool:
        """Whether *owner* may have one more."""
        count = self._local_count(owner) + 1
        if count > self._limit:
            return False
        number = self._next_number()
        self._requested[owner] += 1
        found = None
        try:
            arguments = (self._replica, number, count, self._limit, self._replicas, int(TTL_SECONDS * 1000))
            found = await self._connection.run_script(
                TAKE_SCRIPT, [self._key(owner)], *arguments, max_wait=SHORT_TIMEOUT_SECONDS
            )
            return bool(found)
        except Unavailable:
            return True
        finally:
            self._requested[owner] -= 1
            if not self._requested[owner]:
                del self._requested[owner]
            if found is None:
                # Nobody knows whether Redis took it.
                self._mark_pending(owner)
            elif found:
                self._record_reported(owner, number, count)
            # Whoever was given room has taken it by then.
            asyncio.get_running_loop().call_soon(self.report_change, owner)

    def report_change(self, owner: str) -> None:
        """What *owner* has here may be another number now; without waiting."""
        if self._requested[owner]:
            # Who asks for room says it, and comes here afterwards.
            return
        if owner in self._pending or self._reported_count(owner) != self._count_local(owner):
            self._mark_pending(owner)
            self._schedule_report()

    async def renew_all(self) -> None:
        """Say everything anew: it would end, and a Redis that was started anew knows nothing."""
        self._pending |= dict.fromkeys(self._reported)
        self._schedule_report()

    async def close(self) -> None:
        """Say nothing any more (shutdown)."""
        self._closed = True
        if self._report_task is not None:
            self._report_task.cancel()
            await asyncio.gather(self._report_task, return_exceptions=True)

    def _mark_pending(self, owner: str) -> None:
        self._pending[owner] = None
        if len(self._pending) > MAX_PENDING_OWNERS:
            del self._pending[next(iter(self._pending))]

    def _schedule_report(self) -> None:
        idle = self._report_task is None or self._report_task.done()
        if idle and self._pending and not (self._connection.unavailable or self._closed):
            self._report_task = asyncio.create_task(self._report_pending())

    async def _report_pending(self) -> None:
        """Say what has to be said, in few messages however much it is."""
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
            except Unavailable:
                # The next beat says it.
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
        """Redis knows this, unless it knows something newer."""
        if owner not in self._reported or number > self._reported[owner][0]:
            if count:
                self._reported[owner] = number, count
            else:
                self._reported.pop(owner, None)

    def _local_count(self, owner: str) -> int:
        return self._count_local(owner) + self._requested[owner]

    def _key(self, owner: str) -> str:
        return self._connection.key(f"{self._kind}-in-use", self._encryptor.hash_name(owner))
