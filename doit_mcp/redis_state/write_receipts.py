"""Write receipts in Redis. A write repeated at another replica runs once (doit_mcp.catalog.stores.write_receipts)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any

from ..catalog.stores.write_receipts import MemoryReceiptStore, Receipt
from ..process.task_cancellation import cancel_tasks
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

# A claim is renewed while its write runs. An expired one belonged to a process that died.
LEASE_SECONDS = 15.0
RENEWALS_PER_LEASE = 3
# Interval of polling for a write that runs at another replica: short at first.
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.02, 0.5


class RedisReceiptStore:
    """Implements :class:`doit_mcp.catalog.stores.write_receipts.ReceiptStore` with the receipts of all replicas.

    The outcome of a write whose process died is unknown, so the write is not repeated for a while.

    While Redis is unreachable each process recognizes only its own writes: *local* has the receipts that Redis does not
    have, *mirror* has copies of those that it has. A full Redis still returns receipts but accepts no claims, so
    another replica could repeat a write. Writes are then refused with the error of *unprotected_error*, unless they are
    idempotent.
    """

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        local: MemoryReceiptStore,
        mirror: MemoryReceiptStore,
        unprotected_error: Callable[[], Exception],
        *,
        ttl: float,
        per_owner: int,
        max_answer_bytes: int,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self._connection, self._encryptor, self._unprotected_error = connection, encryptor, unprotected_error
        self._local, self._mirror = local, mirror
        self._ttl, self._per_owner, self._max_answer_bytes, self._lease = ttl, per_owner, max_answer_bytes, lease
        # Tokens of the claims that this process holds in Redis, and the task that renews them while there are any.
        self._claims: dict[str, str] = {}
        self._renew_task: asyncio.Task[None] | None = None
        self._local_only = False

    async def claim(self, owner: str, key: str, *, idempotent: bool = False) -> Receipt | None:
        """Return the receipt, or None if the caller has to do the write. Raise the error of *unprotected_error*."""
        # Writes done while Redis was unavailable are known only to this process.
        claimed_locally = len(self._local) > 0
        if claimed_locally and (receipt := await self._local.claim(owner, key)) is not None:
            return receipt
        unavailable = False
        try:
            receipt = await self._claim_in_redis(owner, key)
        except WriteRefused:
            if self._connection.full:
                # Redis was read and has no receipt, so the one in the mirror is outdated.
                self._mirror.force_claim(owner, key)
                await self._mirror.settle(owner, key, None)
            elif (receipt := await self._find_in_mirror(owner, key)) is not None:
                return receipt
            # Another replica may still be able to claim the write in Redis.
            if not idempotent:
                raise self._unprotected_error() from None
            unavailable = True
        except StateUnavailable:
            unavailable = True
        finally:
            if claimed_locally:
                await self._local.settle(owner, key, None)
        if unavailable:
            if not self._local_only:
                log.warning(
                    "Redis is unavailable: until it recovers, this process recognizes only repeats of its own writes"
                )
            if (receipt := await self._find_in_mirror(owner, key)) is None:
                receipt = await self._local.claim(owner, key)
        self._local_only = unavailable
        return receipt

    async def _find_in_mirror(self, owner: str, key: str) -> Receipt | None:
        """Return the receipt of a write that this process did while Redis was available. Wait if it still runs."""
        if (receipt := await self._mirror.claim(owner, key)) is None:
            await self._mirror.settle(owner, key, None)
        return receipt

    async def _claim_in_redis(self, owner: str, key: str) -> Receipt | None:
        receipt_key, token, pause = self._receipt_key(owner, key), secrets.token_hex(8), FIRST_POLL_SECONDS
        limits = (int(self._lease * 1000), int(self._ttl * 1000), self._per_owner)
        while True:
            reply = await self._connection.run_script(
                CLAIM_SCRIPT, [receipt_key, self._index_key(owner)], token, *limits
            )
            if reply is None:
                self._hold_claim(receipt_key, token)
                self._mirror.force_claim(owner, key)
                return None
            if (receipt := self._parse_receipt(receipt_key, reply)) is not None:
                return receipt
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_POLL_SECONDS)

    def _parse_receipt(self, key: str, reply: list[Any]) -> Receipt | None:
        """Return the receipt in *reply*, or None while the write runs."""
        kind, age, encrypted = reply
        if kind == b"claimed":
            return None
        try:
            decrypted = self._encryptor.decrypt(key, encrypted) if encrypted else b""
        except DecryptionError:
            kind, decrypted = b"unknown", b""
        return Receipt(decrypted, kind == b"known", age / 1000)

    async def settle(
        self,
        owner: str,
        key: str,
        answer: bytes | None,
        *,
        known: bool = True,
        groups: Collection[str] = (),
        lifetime_seconds: float | None = None,
    ) -> None:
        """Store the result of the write, or release the claim if *answer* is None."""
        receipt_key = self._receipt_key(owner, key)
        token = self._claims.pop(receipt_key, None)
        if token is None:
            await self._local.settle(owner, key, answer, known=known, groups=groups, lifetime_seconds=lifetime_seconds)
            return
        await self._mirror.settle(owner, key, answer, known=known, groups=groups, lifetime_seconds=lifetime_seconds)
        stored = answer if answer is not None and known and len(answer) <= self._max_answer_bytes else b""
        outcome = "none" if answer is None else "known" if known else "unknown"
        encrypted = self._encryptor.encrypt(receipt_key, stored) if stored else b""
        try:
            keys = [receipt_key, self._index_key(owner), *map(self._group_key, groups)]
            milliseconds = int((self._ttl if lifetime_seconds is None else lifetime_seconds) * 1000)
            await self._connection.run_script(SETTLE_SCRIPT, keys, token, outcome, encrypted, milliseconds)
        except StateUnavailable:
            # The claim in Redis expires as if this process had died, but this process knows the outcome.
            if answer is not None and await self._local.claim(owner, key) is None:
                await self._local.settle(
                    owner, key, answer, known=known, groups=groups, lifetime_seconds=lifetime_seconds
                )

    async def forget(self, owner: str, key: str) -> None:
        """Delete the receipt, unless the write is running."""
        for store in (self._local, self._mirror):
            await store.forget(owner, key)
        await self._run_forget(FORGET_SCRIPT, [self._receipt_key(owner, key)])

    async def forget_groups(self, groups: Collection[str]) -> None:
        """Delete the receipts of these groups, of all owners."""
        for store in (self._local, self._mirror):
            await store.forget_groups(groups)
        if groups:
            await self._run_forget(FORGET_GROUPS_SCRIPT, list(map(self._group_key, groups)))

    async def _run_forget(self, script: str, keys: list[str]) -> None:
        try:
            await self._connection.run_script(script, keys)
        except StateUnavailable:
            log.warning("receipts in Redis could not be deleted")

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
            claims = dict(self._claims)
            if claims:
                try:
                    await self._connection.run_script(
                        RENEW_SCRIPT, list(claims), int(self._lease * 1000), int(self._ttl * 1000), *claims.values()
                    )
                except StateUnavailable:
                    # The next round comes before the lease ends, or the claim expires.
                    continue

    async def close(self) -> None:
        """Stop renewing claims (shutdown)."""
        if self._renew_task is not None:
            await cancel_tasks(self._renew_task)
