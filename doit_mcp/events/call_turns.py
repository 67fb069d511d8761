"""Shares the call budget of a customer among its users, who take turns. Urgent requests go first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..process.task_cancellation import cancel_tasks
from ..resilience.limits import LimitExceeded
from .store import Owner

TOO_MANY_POLLS = "Too many requests for this customer's events; wait and try again"
ROUTINE_EVERY = 10
"""While requests of both kinds wait, one in this many is a routine one."""


class CallBudget(Protocol):
    """Limits the requests to the DoiT API for events, by customer."""

    async def acquire(self, owner: str, amount: int = 1) -> None:
        """Count *amount* for the customer *owner*. Raise LimitExceeded."""

    def release(self, owner: str, amount: int = 1) -> None:
        """Return *amount*, which was not used."""


Granted = asyncio.Future[None]


class _Queue:
    """Requests that wait, by the keys of their users, who take turns."""

    def __init__(self) -> None:
        self._requests: dict[str, deque[Granted]] = {}

    def __bool__(self) -> bool:
        return bool(self._requests)

    def add(self, user: str, request: Granted) -> None:
        self._requests.setdefault(user, deque()).append(request)

    def remove(self, user: str, request: Granted) -> None:
        """Remove *request*, if it waits here."""
        if request in self._requests.get(user, ()):
            self._requests[user].remove(request)
            if not self._requests[user]:
                del self._requests[user]

    def pop_all(self, user: str) -> deque[Granted]:
        """Remove and return the requests of *user*."""
        return self._requests.pop(user, deque())

    def pop_next(self) -> Granted:
        """Remove and return the next request. Its user goes to the end of the line."""
        user = next(iter(self._requests))
        requests = self._requests.pop(user)
        request = requests.popleft()
        if requests:
            self._requests[user] = requests
        return request


class _Line:
    """The requests of one customer that wait for its budget, and the task that grants them."""

    def __init__(self) -> None:
        self.urgent, self.routine = _Queue(), _Queue()
        self.task: asyncio.Task[None] | None = None
        self._urgent_in_a_row = 0

    def __bool__(self) -> bool:
        return bool(self.urgent or self.routine)

    def pop_next(self) -> Granted:
        """Remove and return the next request."""
        if self.urgent and (not self.routine or self._urgent_in_a_row < ROUTINE_EVERY - 1):
            self._urgent_in_a_row += 1
            return self.urgent.pop_next()
        self._urgent_in_a_row = 0
        return self.routine.pop_next()


class CallTurns:
    """Takes requests to the DoiT API from *budget*. While it is used up, requests wait.

    Urgent requests, for which a client or a delivery waits, go before routine ones, which get a small share meanwhile.
    Among requests of one kind, the users of a customer take turns, so a user with many subscriptions does not delay
    those of colleagues. The turns are those of this process: at several replicas, those whose users wait share the
    budget.
    """

    def __init__(self, budget: CallBudget, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._budget, self._sleep = budget, sleep
        # By customer whose requests wait. Others are forgotten.
        self._lines: dict[str, _Line] = {}

    async def acquire(self, owner: Owner, *, is_urgent: bool) -> bool:
        """Count one request of *owner*, once it is its turn. Return whether it had to wait."""
        if owner.tenant not in self._lines:
            try:
                await self._budget.acquire(owner.tenant)
            except LimitExceeded:
                pass
            else:
                return False
        await self._wait(owner, is_urgent)
        return True

    def mark_urgent(self, owner: Owner) -> None:
        """Make the requests of *owner* that wait urgent."""
        if (line := self._lines.get(owner.tenant)) is not None:
            for request in line.routine.pop_all(owner.key):
                line.urgent.add(owner.key, request)

    async def _wait(self, owner: Owner, is_urgent: bool) -> None:
        line = self._lines.setdefault(owner.tenant, _Line())
        granted: Granted = asyncio.get_running_loop().create_future()
        (line.urgent if is_urgent else line.routine).add(owner.key, granted)
        if line.task is None:
            line.task = asyncio.create_task(self._grant(owner.tenant, line))
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self._budget.release(owner.tenant)
            await self._remove_request(owner, line, granted)
            raise

    async def _remove_request(self, owner: Owner, line: _Line, request: Granted) -> None:
        for queue in (line.urgent, line.routine):
            queue.remove(owner.key, request)
        if not line and line.task is not None and self._lines.get(owner.tenant) is line:
            del self._lines[owner.tenant]
            await cancel_tasks(line.task)

    async def _grant(self, tenant: str, line: _Line) -> None:
        """Grant the requests of *line*, one for each that the budget admits, until none waits."""
        try:
            while line:
                try:
                    await self._budget.acquire(tenant)
                except LimitExceeded as limit:
                    await self._sleep(limit.retry_after)
                    continue
                request = line.pop_next() if line else None
                if request is None or request.done():
                    # Canceled in the meantime.
                    self._budget.release(tenant)
                else:
                    request.set_result(None)
        except Exception as error:
            while line:
                if not (request := line.pop_next()).done():
                    request.set_exception(error)
        finally:
            if self._lines.get(tenant) is line:
                del self._lines[tenant]
