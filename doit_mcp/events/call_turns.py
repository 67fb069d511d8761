"""Shares the call budget of a customer among its users, who take turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from ..resilience.limits import LimitExceeded
from .store import Owner

TOO_MANY_POLLS = "Too many requests for this customer's events; wait and try again"


class CallBudget(Protocol):
    """Limits the requests to the DoiT API for events, by customer."""

    async def acquire(self, owner: str, amount: int = 1) -> None:
        """Count *amount* for the customer *owner*. Raise LimitExceeded."""


class CallTurns:
    """Takes requests to the DoiT API from *budget*. While it is used up, the users of a customer that wait take turns,
    so a user with many subscriptions does not delay those of colleagues.

    The turns are those of this process: at several replicas, those whose users wait share the budget.
    """

    def __init__(self, budget: CallBudget, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._budget, self._sleep = budget, sleep
        # By customer whose turn is taken: its users that wait, by their keys, next one first.
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}

    async def acquire(self, owner: Owner) -> bool:
        """Count one request of *owner*, once it is its turn. Return whether the budget was used up before."""
        has_waited = False
        async with self._turn(owner):
            while True:
                try:
                    await self._budget.acquire(owner.tenant)
                except LimitExceeded as limit:
                    has_waited = True
                    await self._sleep(limit.retry_after)
                else:
                    return has_waited

    @asynccontextmanager
    async def _turn(self, owner: Owner) -> AsyncIterator[None]:
        """Hold the turn of the customer while the block runs, after waiting for it."""
        users = self._waiting.get(owner.tenant)
        if users is None:
            self._waiting[owner.tenant] = {}
        else:
            await self._wait(users, owner)
        try:
            yield
        finally:
            self._pass_on(owner)

    async def _wait(self, users: dict[str, deque[asyncio.Future[None]]], owner: Owner) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        users.setdefault(owner.key, deque()).append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self._pass_on(owner)
            elif granted in users.get(owner.key, ()):
                users[owner.key].remove(granted)
                if not users[owner.key]:
                    del users[owner.key]
            raise

    def _pass_on(self, owner: Owner) -> None:
        """Give the turn of *owner* to the next user of the customer."""
        users = self._waiting[owner.tenant]
        while users:
            key = next((key for key in users if key != owner.key), owner.key)
            requests = users.pop(key)
            granted = requests.popleft()
            if requests:
                # To the end of the line.
                users[key] = requests
            if not granted.done():
                granted.set_result(None)
                return
        del self._waiting[owner.tenant]
