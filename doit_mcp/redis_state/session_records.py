"""Session records in Redis: encrypted fields with an owner, a version, a lifetime and perhaps a holding replica."""

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
OLD_NAME = 2


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A record. *fields* is None if the caller knows the newest version; *holder_alive* is True without a holder."""

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
        """The hash of *text* for use in field names."""
        return self._encryptor.hash_name(text)

    def _keys(self, id: str, owner: str) -> list[str]:
        names = self._encryptor.hash_name(id), self._encryptor.hash_name(owner)
        return [self._connection.key(self._kind, names[0]), self._connection.key(f"{self._kind}s", names[1])]

    async def create(self, id: str, owner: str, fields: Mapping[str, Any], *, pinned: bool = False) -> list[str]:
        """Create a record. Returns the ids of evicted records of this owner. A *pinned* record depends on this replica."""
        keys = self._keys(id, owner)
        holder = self._replica if pinned else ""
        packed = self._encrypt_fields(keys[0], {**fields, "id": id})
        arguments = (str(self._encryptor.hash_name(owner)), holder, self._ttl, self._per_owner)
        gone = await self._connection.run_script(CREATE_SCRIPT, keys, *arguments, *packed)
        pairs = zip(gone[::2], gone[1::2], strict=True)
        ids = (self._decrypt_id(key.decode(), encrypted) for key, encrypted in pairs)
        return [id for id in ids if id is not None]

    def _decrypt_id(self, key: str, ciphertext: bytes) -> str | None:
        """The id of an evicted record; None if it was encrypted with a secret that is no longer configured."""
        try:
            return str(self._encryptor.decrypt_json(f"{key} id", ciphertext))
        except DecryptionError:
            log.warning("a record in Redis cannot be decrypted", extra={"kind": self._kind})
            return None

    async def find(self, id: str, owner: str, known_version: int = 0, *, renew: bool = True) -> SessionRecord | None:
        """The record, if it belongs to *owner*; *renew* extends its lifetime."""
        keys = self._keys(id, owner)
        life = self._ttl if renew else 0
        owners = " ".join(name_variants(self._encryptor.hash_name(owner)))
        own = keys[:1] if isinstance(keys[0], KeyName) else []
        found = await self._connection.run_script(
            FIND_SCRIPT, keys, owners, known_version, life, self._replica, self._replicas, *map(str, own)
        )
        if found is None:
            return None
        try:
            fields = self._decrypt_fields(keys[0], found[4]) if len(found) > 4 else None
        except DecryptionError:
            log.warning("a record in Redis cannot be decrypted", extra={"kind": self._kind})
            return None
        name = found[3].decode()
        if fields is not None and name != keys[0]:
            await self._move_to_current_name(name, keys, owner, found[1], fields)
        return SessionRecord(found[0].decode(), int(found[1]), bool(found[2]), fields)

    async def _move_to_current_name(
        self, name: str, keys: list[str], owner: str, version: bytes, fields: Mapping[str, Any]
    ) -> None:
        """Rename and encrypt a record with the current secret, so that it survives the removal of the old one."""
        raw = [name, str(keys[0]), *name_variants(keys[1])]
        packed = self._encrypt_fields(keys[0], fields)
        await self._connection.run_script(
            MOVE_SCRIPT, raw, version, str(self._encryptor.hash_name(owner)), self._ttl, *packed
        )

    async def update(self, id: str, owner: str, fields: Mapping[str, Any], removed: Iterable[str] = ()) -> int | None:
        """Set *fields* and remove those in *removed*. Returns the new version, None if the record is gone."""
        keys = self._keys(id, owner)
        names = [f"f:{name}" for name in removed]
        version = await self._connection.run_script(
            UPDATE_SCRIPT, keys[:1], len(names), *names, *self._encrypt_fields(keys[0], fields)
        )
        return None if version is None else int(version)

    async def delete(self, id: str, owner: str) -> bool:
        """Delete the record; False if it was missing."""
        return bool(await self._connection.execute(*self.delete_command(id, owner)))

    def delete_command(self, id: str, owner: str) -> Command:
        """The command that deletes the record, for callers that queue it."""
        return eval_command(DELETE_SCRIPT, self._keys(id, owner))

    async def renew(self, records: Iterable[tuple[str, str]]) -> list[bool]:
        """Extend the lifetime of records (id, owner). Returns for each whether it exists and its holder is alive."""
        records = list(records)
        keys = [key for id, owner in records for key in self._keys(id, owner)]
        own = [str(key) for key in keys[::2] if isinstance(key, KeyName)]
        there = await self._connection.run_script(RENEW_SCRIPT, keys, self._ttl, self._replica, self._replicas, *own)
        for (id, owner), one in zip(records, there, strict=True):
            if one == OLD_NAME:
                # Finding a record renames it.
                await self.find(id, owner)
        return [bool(one) for one in there]

    def _encrypt_fields(self, key: str, fields: Mapping[str, Any]) -> list[str | bytes]:
        """Names and encrypted values, alternating; each value is bound to its record and name."""
        packed: list[str | bytes] = []
        for name, value in fields.items():
            packed += [f"f:{name}", self._encryptor.encrypt_json(join_names(" ", (key, name)), value)]
        return packed

    def _decrypt_fields(self, key: str, flat: list[bytes]) -> dict[str, Any]:
        """The fields. Raises DecryptionError."""
        pairs = zip(flat[::2], flat[1::2], strict=True)
        own = {name.decode()[2:]: encrypted for name, encrypted in pairs if name.startswith(b"f:")}
        return {
            name: self._encryptor.decrypt_json(join_names(" ", (key, name)), encrypted)
            for name, encrypted in own.items()
        }
