"""Mailboxes of events in Redis, so that subscriptions outlive replicas (doit_mcp.events.store)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..events.store import LEASE_SECONDS, Change, Fields, Owner, Snapshot
from ..resilience.unavailable import StateUnavailable
from .connection import Argument, RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import eval_command, join_names
from .scripts import load_script

log = logging.getLogger(__name__)

UPDATE_SCRIPT = load_script("update_mailbox")
READ_SCRIPT = load_script("read_mailbox")
VERSION_SCRIPT = load_script("read_mailbox_version")
DROP_SCRIPT = load_script("drop_mailbox")
LEASE_SCRIPT = load_script("lease_mailbox")
RELEASE_SCRIPT = load_script("release_mailbox")
ENROLL_SCRIPT = load_script("enroll_owner")
OWNERS_SCRIPT = load_script("read_owners")

VERSION_FIELD = b"#"
LIFETIME_SECONDS = 86_400.0
OWNER_MARGIN_SECONDS = 600.0


class RedisMailboxes:
    """The mailboxes of all replicas. Fields are encrypted. *replica* names this one in leases."""

    lifetime_seconds = LIFETIME_SECONDS

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        replica: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection, self._encryptor, self._replica, self._clock = connection, encryptor, replica, clock
        self._index = connection.key("event-owners")
        # By the encrypted entry, because the list is read every few seconds.
        self._known_owners: dict[bytes, Owner] = {}

    def _mailbox_key(self, owner: str) -> str:
        return self._connection.key("mailbox", self._encryptor.hash_name(owner))

    def _lease_key(self, owner: str) -> str:
        return self._connection.key("mailbox-lease", self._encryptor.hash_name(owner))

    async def load(self, owner: str) -> Snapshot:
        """Return a mailbox. Fields that cannot be decrypted are missing."""
        key = self._mailbox_key(owner)
        reply = await self._connection.run_script(READ_SCRIPT, [key])
        fields: Fields = {}
        version = 0
        for name, value in zip(reply[::2], reply[1::2], strict=True):
            if name == VERSION_FIELD:
                version = int(value)
                continue
            try:
                fields[name.decode()] = self._encryptor.decrypt_json(join_names(":", (key, name.decode())), value)
            except DecryptionError:
                log.warning("a field of a mailbox in Redis cannot be decrypted")
        return Snapshot(fields, version)

    async def update(
        self, owner: str, change: Change, expires: float, *, expected: int | None = None, leased: bool = True
    ) -> int:
        """Apply *change*. Return the new version, CONFLICT or NOT_LEASED."""
        key = self._mailbox_key(owner)
        puts: list[Argument] = []
        for name, value in change.put.items():
            puts += (name, self._encryptor.encrypt_json(join_names(":", (key, name)), value))
        guard = ("lease" if leased else "exists") if expected is None else str(expected)
        lifetime = max(1, int((expires - self._clock()) * 1000))
        arguments = (lifetime, guard, self._replica, len(change.put), *puts, *change.delete)
        return int(await self._connection.run_script(UPDATE_SCRIPT, [key, self._lease_key(owner)], *arguments))

    async def drop(self, owner: str, version: int) -> None:
        """Delete a mailbox, unless it has another *version* by now."""
        await self._connection.run_script(DROP_SCRIPT, [self._mailbox_key(owner)], str(version))

    async def versions(self, owners: Sequence[str]) -> list[int]:
        """Return the version of each mailbox."""
        return [int(reply) for reply in await self._for_each(VERSION_SCRIPT, map(self._mailbox_key, owners))]

    async def add_owner(self, owner: Owner) -> None:
        """Put *owner* into the list of owners."""
        entry = self._encryptor.encrypt_json(self._index, list(owner))
        lifetime = max(1, int((owner.expires - self._clock() + OWNER_MARGIN_SECONDS) * 1000))
        await self._connection.run_script(
            ENROLL_SCRIPT, [self._index], str(self._encryptor.hash_name(owner.key)), entry, lifetime
        )

    async def owners(self) -> list[Owner]:
        """Return all owners whose mailboxes have not ended."""
        entries = await self._connection.run_script(OWNERS_SCRIPT, [self._index])
        known: dict[bytes, Owner] = {}
        for entry in entries:
            try:
                known[entry] = self._known_owners.get(entry) or Owner(*self._encryptor.decrypt_json(self._index, entry))
            except DecryptionError:
                log.warning("an owner of a mailbox in Redis cannot be decrypted")
        self._known_owners = known
        return list(known.values())

    async def lease(self, owners: Sequence[str]) -> set[str]:
        """Acquire or renew the leases of mailboxes. Return those that this replica holds."""
        arguments = (self._replica, int(LEASE_SECONDS * 1000))
        replies = await self._for_each(LEASE_SCRIPT, map(self._lease_key, owners), *arguments)
        return {owner for owner, reply in zip(owners, replies, strict=True) if reply == 1}

    async def release(self, owners: Collection[str]) -> None:
        """Give up leases."""
        await self._for_each(RELEASE_SCRIPT, map(self._lease_key, owners), self._replica)

    async def _for_each(self, script: str, keys: Any, *arguments: Argument) -> list[Any]:
        """Return the results of *script* for each of *keys*, each the key of one owner."""
        commands = [(*eval_command(script, [key]), *arguments) for key in keys]
        replies = await self._connection.execute_all(commands) if commands else []
        for reply in replies:
            if isinstance(reply, Exception):
                raise StateUnavailable from reply
        return replies
