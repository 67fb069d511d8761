"""Receipts in Redis: a write that comes again to another replica is not done twice (doit_mcp.catalog.stores.write_receipts)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any, Generic, Protocol, TypeVar

from ..resilience.unavailable import StateUnavailable
from .connection import RedisConnection
from .encryption import DecryptionError, Encryptor
from .errors import WriteRefused
from .scripts import load_script

log = logging.getLogger(__name__)

CLAIM_SCRIPT = load_script("claim_receipt")
SETTLE_SCRIPT = load_script("settle_receipt")
RENEW_SCRIPT = load_script("renew_receipt_claims")
FORGET_SCRIPT = load_script("forget_receipt")
FORGET_GROUPS_SCRIPT = load_script("forget_receipt_groups")

# A claim is renewed while its write runs. One that is not any more was held by a process that died.
LEASE_SECONDS = 15.0
RENEWALS_PER_LEASE = 3
# How often who waits for a write elsewhere looks again: soon at first (seconds).
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.02, 0.5

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class LocalReceipts(Protocol[R_co]):
    """Receipts of this process."""

    def __len__(self) -> int: ...

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> R_co | None: ...

    def force_claim(self, owner: str, key: str) -> None: ...

    async def settle(
        self, owner: str, key: str, answer: bytes | None, *, known: bool = True, groups: Collection[str] = ()
    ) -> None: ...

    async def forget(self, owner: str, key: str) -> None: ...

    async def forget_groups(self, groups: Collection[str]) -> None: ...


class RedisReceiptStore(Generic[R]):
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
        connection: RedisConnection,
        encryptor: Encryptor,
        local: LocalReceipts[R],
        mirror: LocalReceipts[R],
        make_receipt: Callable[[bytes, bool, float], R],
        unprotected_error: Callable[[], Exception],
        *,
        ttl: float,
        per_owner: int,
        max_answer_bytes: int,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self._connection, self._encryptor, self._make_receipt, self._unprotected_error = (
            connection,
            encryptor,
            make_receipt,
            unprotected_error,
        )
        self._local, self._mirror = local, mirror
        self._ttl, self._per_owner, self._max_answer_bytes, self._lease = ttl, per_owner, max_answer_bytes, lease
        # Claims in Redis that this process holds, and the task that renews them while there are any.
        self._claims: dict[str, str] = {}
        self._renew_task: asyncio.Task[None] | None = None
        self._local_only = False

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> R | None:
        """The receipt, or None for who has to do it. Raises the error of *unprotected* while Redis refuses."""
        # What was done while Redis was away is known here alone.
        checked = len(self._local) > 0
        if checked and (receipt := await self._local.claim(owner, key)) is not None:
            return receipt
        away = False
        try:
            receipt = await self._claim_in_redis(owner, key)
        except WriteRefused:
            if self._connection.full:
                # It was read, and has no receipt of it: what the mirror has was forgotten.
                self._mirror.force_claim(owner, key)
                await self._mirror.settle(owner, key, None)
            elif (receipt := await self._find_in_mirror(owner, key)) is not None:
                return receipt
            # Another process of ours may be able to write where it should be.
            if not idempotent:
                raise self._unprotected_error() from None
            away = True
        except StateUnavailable:
            away = True
        finally:
            if checked:
                await self._local.settle(owner, key, None)
        if away:
            if not self._local_only:
                log.warning(
                    "Redis cannot be used: until it can, this process recognizes only the repeats of writes that it did"
                    " itself"
                )
            if (receipt := await self._find_in_mirror(owner, key)) is None:
                receipt = await self._local.claim(owner, key)
        self._local_only = away
        return receipt

    async def _find_in_mirror(self, owner: str, key: str) -> R | None:
        """What this process did while Redis was there; a write that it is still doing is waited for."""
        if (receipt := await self._mirror.claim(owner, key)) is None:
            await self._mirror.settle(owner, key, None)
        return receipt

    async def _claim_in_redis(self, owner: str, key: str) -> R | None:
        place, token, look = self._receipt_key(owner, key), secrets.token_hex(8), FIRST_POLL_SECONDS
        bounds = (int(self._lease * 1000), int(self._ttl * 1000), self._per_owner)
        while True:
            found = await self._connection.run_script(CLAIM_SCRIPT, [place, self._index_key(owner)], token, *bounds)
            if found is None:
                self._hold_claim(place, token)
                self._mirror.force_claim(owner, key)
                return None
            if (receipt := self._parse_receipt(place, found)) is not None:
                return receipt
            await asyncio.sleep(look)
            look = min(2 * look, MAX_POLL_SECONDS)

    def _parse_receipt(self, key: str, found: list[Any]) -> R | None:
        """None: it is being done."""
        kind, age, answer = found
        if kind == b"claimed":
            return None
        try:
            opened = self._encryptor.decrypt(key, answer) if answer else b""
        except DecryptionError:
            kind, opened = b"unknown", b""
        return self._make_receipt(opened, kind == b"known", age / 1000)

    async def settle(
        self, owner: str, key: str, answer: bytes | None, *, known: bool = True, groups: Collection[str] = ()
    ) -> None:
        """Keep the answer, or give the write free."""
        place = self._receipt_key(owner, key)
        token = self._claims.pop(place, None)
        if token is None:
            await self._local.settle(owner, key, answer, known=known, groups=groups)
            return
        await self._mirror.settle(owner, key, answer, known=known, groups=groups)
        kept = answer if answer is not None and known and len(answer) <= self._max_answer_bytes else b""
        outcome = "none" if answer is None else "known" if known else "unknown"
        sealed = self._encryptor.encrypt(place, kept) if kept else b""
        try:
            places = [place, self._index_key(owner), *map(self._group_key, groups)]
            await self._connection.run_script(SETTLE_SCRIPT, places, token, outcome, sealed, int(self._ttl * 1000))
        except StateUnavailable:
            # In Redis its claim will lapse, as if this process had died; here it is known what became of it.
            if answer is not None and await self._local.claim(owner, key) is None:
                await self._local.settle(owner, key, answer, known=known, groups=groups)

    async def forget(self, owner: str, key: str) -> None:
        """Forget it if it is settled."""
        for known in (self._local, self._mirror):
            await known.forget(owner, key)
        await self._run_forget(FORGET_SCRIPT, [self._receipt_key(owner, key)])

    async def forget_groups(self, groups: Collection[str]) -> None:
        """Forget what was done by anybody."""
        for known in (self._local, self._mirror):
            await known.forget_groups(groups)
        if groups:
            await self._run_forget(FORGET_GROUPS_SCRIPT, list(map(self._group_key, groups)))

    async def _run_forget(self, script: str, keys: list[str]) -> None:
        try:
            await self._connection.run_script(script, keys)
        except StateUnavailable:
            log.warning("receipts in Redis could not be forgotten")

    def _receipt_key(self, owner: str, key: str) -> str:
        return self._connection.key("receipt", self._encryptor.hash_name(owner), self._encryptor.hash_name(key))

    def _index_key(self, owner: str) -> str:
        return self._connection.key("receipts", self._encryptor.hash_name(owner))

    def _group_key(self, group: str) -> str:
        return self._connection.key("receipts-of", self._encryptor.hash_name(group))

    def _hold_claim(self, key: str, token: str) -> None:
        self._claims[key] = token
        if self._renew_task is None or self._renew_task.done():
            self._renew_task = asyncio.create_task(self._renew_claims())

    async def _renew_claims(self) -> None:
        while self._claims:
            await asyncio.sleep(self._lease / RENEWALS_PER_LEASE)
            held = dict(self._claims)
            if held:
                try:
                    await self._connection.run_script(
                        RENEW_SCRIPT, list(held), int(self._lease * 1000), int(self._ttl * 1000), *held.values()
                    )
                except StateUnavailable:
                    # The next round comes before the lease ends, or the claim lapses.
                    continue

    async def close(self) -> None:
        """Renew nothing any more (shutdown)."""
        if self._renew_task is not None:
            self._renew_task.cancel()
            await asyncio.gather(self._renew_task, return_exceptions=True)
