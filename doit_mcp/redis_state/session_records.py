"""Session records in Redis: encrypted fields with an owner, a version, a lifetime and, optionally, a holder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .connection import Command, RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import KeyName, eval_command, join_names, name_variants
from .scripts import load_script

log = logging.getLogger(__name__)


CREATE_SCRIPT = load_script("create_session")
FIND_SCRIPT = load_script("find_session")
MOVE_SCRIPT = load_script("rename_session")
UPDATE_SCRIPT = load_script("update_session")
DELETE_SCRIPT = load_script("delete_session")
RENEW_SCRIPT = load_script("renew_sessions")

UNLIMITED = 1 << 40
OLD_NAME_STATE = 2


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A record. *fields* is None if the caller has the newest version. *holder_alive* is True without a holder."""

    holder: str
    version: int
    holder_alive: bool
    fields: dict[str, Any] | None


class SessionRecords:
    """Records of one kind, under hashed names. All methods raise StateUnavailable."""

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        kind: str,
        replica: str,
        *,
        ttl: float,
        per_owner: int = UNLIMITED,
    ) -> None:
        self._connection, self._encryptor, self._kind, self._replica = connection, encryptor, kind, replica
        self._ttl, self._per_owner = int(ttl * 1000), per_owner
        self._replicas = connection.key("replica", "")

    def hash_name(self, text: str) -> str:
        """Return the hash of *text* for use in field names."""
        return self._encryptor.hash_name(text)

    def _keys(self, id: str, owner: str) -> list[str]:
        names = self._encryptor.hash_name(id), self._encryptor.hash_name(owner)
        return [self._connection.key(self._kind, names[0]), self._connection.key(f"{self._kind}s", names[1])]

    async def create(self, id: str, owner: str, fields: Mapping[str, Any], *, pinned: bool = False) -> list[str]:
        """Create a record.

        Return the ids of evicted records of this owner. A *pinned* record depends on this replica.
        """
        keys = self._keys(id, owner)
        holder = self._replica if pinned else ""
        encrypted_fields = self._encrypt_fields(keys[0], {**fields, "id": id})
        arguments = (str(self._encryptor.hash_name(owner)), holder, self._ttl, self._per_owner)
        evicted = await self._connection.run_script(CREATE_SCRIPT, keys, *arguments, *encrypted_fields)
        pairs = zip(evicted[::2], evicted[1::2], strict=True)
        ids = (self._decrypt_id(key.decode(), encrypted) for key, encrypted in pairs)
        return [id for id in ids if id is not None]

    def _decrypt_id(self, key: str, ciphertext: bytes) -> str | None:
        """Return the id of an evicted record, or None if its secret is no longer configured."""
        try:
            return str(self._encryptor.decrypt_json(f"{key} id", ciphertext))
        except DecryptionError:
            log.warning("a record in Redis cannot be decrypted", extra={"kind": self._kind})
            return None

    async def find(self, id: str, owner: str, known_version: int = 0, *, renew: bool = True) -> SessionRecord | None:
        """Return the record if it belongs to *owner*. *renew* extends its lifetime."""
        keys = self._keys(id, owner)
        ttl = self._ttl if renew else 0
        owners = " ".join(name_variants(self._encryptor.hash_name(owner)))
        current_keys = keys[:1] if isinstance(keys[0], KeyName) else []
        reply = await self._connection.run_script(
            FIND_SCRIPT, keys, owners, known_version, ttl, self._replica, self._replicas, *map(str, current_keys)
        )
        if reply is None:
            return None
        try:
            fields = self._decrypt_fields(keys[0], reply[4]) if len(reply) > 4 else None
        except DecryptionError:
            log.warning("a record in Redis cannot be decrypted", extra={"kind": self._kind})
            return None
        name = reply[3].decode()
        if fields is not None and name != keys[0]:
            await self._move_to_current_name(name, keys, owner, reply[1], fields)
        return SessionRecord(reply[0].decode(), int(reply[1]), bool(reply[2]), fields)

    async def _move_to_current_name(
        self, name: str, keys: list[str], owner: str, version: bytes, fields: Mapping[str, Any]
    ) -> None:
        """Rename and encrypt a record with the current secret, so that it survives the removal of the old one."""
        names = [name, str(keys[0]), *name_variants(keys[1])]
        encrypted_fields = self._encrypt_fields(keys[0], fields)
        await self._connection.run_script(
            MOVE_SCRIPT, names, version, str(self._encryptor.hash_name(owner)), self._ttl, *encrypted_fields
        )

    async def update(self, id: str, owner: str, fields: Mapping[str, Any], removed: Iterable[str] = ()) -> int | None:
        """Set *fields* and remove those in *removed*. Return the new version, or None if the record does not exist."""
        keys = self._keys(id, owner)
        names = [f"f:{name}" for name in removed]
        version = await self._connection.run_script(
            UPDATE_SCRIPT, keys[:1], len(names), *names, *self._encrypt_fields(keys[0], fields)
        )
        return None if version is None else int(version)

    async def delete(self, id: str, owner: str) -> bool:
        """Delete the record. Return whether it existed."""
        return bool(await self._connection.execute(*self.delete_command(id, owner)))

    def delete_command(self, id: str, owner: str) -> Command:
        """Return the command that deletes the record, for callers that queue it."""
        return eval_command(DELETE_SCRIPT, self._keys(id, owner))

    async def renew(self, records: Iterable[tuple[str, str]]) -> list[bool]:
        """Extend the lifetime of records (id, owner). Return for each whether it exists and its holder is alive."""
        records = list(records)
        keys = [key for id, owner in records for key in self._keys(id, owner)]
        current_keys = [str(key) for key in keys[::2] if isinstance(key, KeyName)]
        states = await self._connection.run_script(
            RENEW_SCRIPT, keys, self._ttl, self._replica, self._replicas, *current_keys
        )
        for (id, owner), state in zip(records, states, strict=True):
            if state == OLD_NAME_STATE:
                # Finding a record renames it.
                await self.find(id, owner)
        return [bool(state) for state in states]

    def _encrypt_fields(self, key: str, fields: Mapping[str, Any]) -> list[str | bytes]:
        """Return names and encrypted values, alternating. Each value is bound to its record and name."""
        flat: list[str | bytes] = []
        for name, value in fields.items():
            flat += [f"f:{name}", self._encryptor.encrypt_json(join_names(" ", (key, name)), value)]
        return flat

    def _decrypt_fields(self, key: str, flat: list[bytes]) -> dict[str, Any]:
        """Return the decrypted fields. Raise DecryptionError."""
        pairs = zip(flat[::2], flat[1::2], strict=True)
        encrypted_fields = {name.decode()[2:]: encrypted for name, encrypted in pairs if name.startswith(b"f:")}
        return {
            name: self._encryptor.decrypt_json(join_names(" ", (key, name)), encrypted)
            for name, encrypted in encrypted_fields.items()
        }
