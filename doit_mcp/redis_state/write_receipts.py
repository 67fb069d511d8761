"""Receipts in Redis: a write that comes again to another replica is not done twice (doit_mcp.catalog.stores.write_receipts)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any, Generic, Protocol, TypeVar

from .connection import Link
from .encryption import Box, Broken
from .errors import Away, Refused
from .receipt_scripts import CLAIM, FORGET, FORGET_GROUPS, RENEW, SETTLE

log = logging.getLogger(__name__)

# A claim is renewed while its write runs. One that is not any more was held by a process that died.
LEASE_S = 15.0
RENEWALS = 3
# How often who waits for a write elsewhere looks again: soon at first (seconds).
LOOK_S, LOOK_AT_MOST_S = 0.02, 0.5

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Own(Protocol[R_co]):
    """Receipts of this process."""

    def __len__(self) -> int: ...

    async def claim(self, owner: str, key: str, *, repeatable: bool = False) -> R_co | None: ...

    def begin(self, owner: str, key: str) -> None: ...

    async def settle(
        self, owner: str, key: str, answer: bytes | None, *, known: bool = True, groups: Collection[str] = ()
    ) -> None: ...

    async def forget(self, owner: str, key: str) -> None: ...

    async def forget_groups(self, groups: Collection[str]) -> None: ...


class RedisReceipts(Generic[R]):
    """Receipts of all replicas; *make* makes one from its answer, whether it was done, and its age in seconds.

    What a process that died was doing may or may not have been done: nobody knows, so it is not repeated for a while.

    While Redis cannot be reached each process protects what it has done itself, before that and meanwhile: *own* has
    the writes that Redis does not know, *mirror* a copy of those that this process did and Redis knows. What other
    processes did is not known then. While Redis is full it still tells what
    was done, but takes no new claim: another replica would do the same again. So a write is refused then, with the
    error that *unprotected* makes, unless doing it twice does no harm.
    """

    def __init__(
        self,
        link: Link,
        box: Box,
        own: Own[R],
        mirror: Own[R],
        make: Callable[[bytes, bool, float], R],
        unprotected: Callable[[], Exception],
        *,
        life: float,
        per_owner: int,
        most_bytes: int,
        lease: float = LEASE_S,
    ) -> None:
        self._link, self._box, self._make, self._unprotected = link, box, make, unprotected
        self._own, self._mirror = own, mirror
        self._life, self._per_owner, self._most, self._lease = life, per_owner, most_bytes, lease
        # Claims in Redis that this process holds, and the task that renews them while there are any.
        self._held: dict[str, str] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._alone = False

    async def claim(self, owner: str, key: str, *, repeatable: bool = False) -> R | None:
        """The receipt, or None for who has to do it. Raises the error of *unprotected* while Redis refuses."""
        # What was done while Redis was away is known here alone.
        checked = len(self._own) > 0
        if checked and (receipt := await self._own.claim(owner, key)) is not None:
            return receipt
        away = False
        try:
            receipt = await self._claimed(owner, key)
        except Refused:
            if self._link.full:
                # It was read, and has no receipt of it: what the mirror has was forgotten.
                self._mirror.begin(owner, key)
                await self._mirror.settle(owner, key, None)
            elif (receipt := await self._mirrored(owner, key)) is not None:
                return receipt
            # Another process of ours may be able to write where it should be.
            if not repeatable:
                raise self._unprotected() from None
            away = True
        except Away:
            away = True
        finally:
            if checked:
                await self._own.settle(owner, key, None)
        if away:
            if not self._alone:
                log.warning(
                    "Redis cannot be used: until it can, this process recognizes only the repeats of writes that it did"
                    " itself"
                )
            if (receipt := await self._mirrored(owner, key)) is None:
                receipt = await self._own.claim(owner, key)
        self._alone = away
        return receipt

    async def _mirrored(self, owner: str, key: str) -> R | None:
        """What this process did while Redis was there; a write that it is still doing is waited for."""
        if (receipt := await self._mirror.claim(owner, key)) is None:
            await self._mirror.settle(owner, key, None)
        return receipt

    async def _claimed(self, owner: str, key: str) -> R | None:
        place, token, look = self._place(owner, key), secrets.token_hex(8), LOOK_S
        bounds = (int(self._lease * 1000), int(self._life * 1000), self._per_owner)
        while True:
            found = await self._link.script(CLAIM, [place, self._index(owner)], token, *bounds)
            if found is None:
                self._hold(place, token)
                self._mirror.begin(owner, key)
                return None
            if (receipt := self._receipt(place, found)) is not None:
                return receipt
            await asyncio.sleep(look)
            look = min(2 * look, LOOK_AT_MOST_S)

    def _receipt(self, place: str, found: list[Any]) -> R | None:
        """None: it is being done."""
        kind, age, answer = found
        if kind == b"claimed":
            return None
        try:
            opened = self._box.open(place, answer) if answer else b""
        except Broken:
            kind, opened = b"unknown", b""
        return self._make(opened, kind == b"known", age / 1000)

    async def settle(
        self, owner: str, key: str, answer: bytes | None, *, known: bool = True, groups: Collection[str] = ()
    ) -> None:
        """Keep the answer, or give the write free."""
        place = self._place(owner, key)
        token = self._held.pop(place, None)
        if token is None:
            await self._own.settle(owner, key, answer, known=known, groups=groups)
            return
        await self._mirror.settle(owner, key, answer, known=known, groups=groups)
        kept = answer if answer is not None and known and len(answer) <= self._most else b""
        outcome = "none" if answer is None else "known" if known else "unknown"
        sealed = self._box.close(place, kept) if kept else b""
        try:
            places = [place, self._index(owner), *map(self._group, groups)]
            await self._link.script(SETTLE, places, token, outcome, sealed, int(self._life * 1000))
        except Away:
            # In Redis its claim will lapse, as if this process had died; here it is known what became of it.
            if answer is not None and await self._own.claim(owner, key) is None:
                await self._own.settle(owner, key, answer, known=known, groups=groups)

    async def forget(self, owner: str, key: str) -> None:
        """Forget it if it is settled."""
        for known in (self._own, self._mirror):
            await known.forget(owner, key)
        await self._forgotten(FORGET, [self._place(owner, key)])

    async def forget_groups(self, groups: Collection[str]) -> None:
        """Forget what was done by anybody."""
        for known in (self._own, self._mirror):
            await known.forget_groups(groups)
        if groups:
            await self._forgotten(FORGET_GROUPS, list(map(self._group, groups)))

    async def _forgotten(self, script: str, places: list[str]) -> None:
        try:
            await self._link.script(script, places)
        except Away:
            log.warning("receipts in Redis could not be forgotten")

    def _place(self, owner: str, key: str) -> str:
        return self._link.key("receipt", self._box.name(owner), self._box.name(key))

    def _index(self, owner: str) -> str:
        return self._link.key("receipts", self._box.name(owner))

    def _group(self, group: str) -> str:
        return self._link.key("receipts-of", self._box.name(group))

    def _hold(self, place: str, token: str) -> None:
        self._held[place] = token
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(self._lease / RENEWALS)
            held = dict(self._held)
            if held:
                try:
                    await self._link.script(
                        RENEW, list(held), int(self._lease * 1000), int(self._life * 1000), *held.values()
                    )
                except Away:
                    # The next round comes before the lease ends, or the claim lapses.
                    continue

    async def close(self) -> None:
        """Renew nothing any more (shutdown)."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
