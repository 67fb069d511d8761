"""Task records in Redis. The replica that runs a task writes its state, and all replicas can read it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from .connection import RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import eval_command, name_variants
from .scripts import load_script
from .write_queue import WriteQueue

log = logging.getLogger(__name__)

READ_SCRIPT = load_script("read_task")
WRITE_SCRIPT = load_script("write_task")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """The state of a task, the replica that wrote it, and whether that replica is alive."""

    value: Any
    holder: str
    holder_alive: bool


class TaskRecords:
    """Records of one kind, by id. They expire."""

    def __init__(
        self, connection: RedisConnection, encryptor: Encryptor, write_queue: WriteQueue, kind: str, replica: str
    ) -> None:
        self._connection, self._encryptor, self._write_queue, self._kind, self._replica = (
            connection,
            encryptor,
            write_queue,
            kind,
            replica,
        )
        self._replicas = connection.key("replica", "")

    def _key(self, id: str) -> str:
        return self._connection.key(self._kind, self._encryptor.hash_name(id))

    def write(self, id: str, value: Any, ttl: float) -> None:
        """Write a state without waiting. Writes keep their order."""
        key = self._key(id)
        fields = (self._replica, self._encryptor.encrypt_json(key, value), max(1, int(ttl * 1000)))
        self._write_queue.put((*eval_command(WRITE_SCRIPT, [key]), *fields))

    def delete(self, id: str) -> None:
        """Delete the record without waiting."""
        self._write_queue.put(("DEL", *name_variants(self._key(id))))

    async def wait_until_saved(self, seconds: float) -> None:
        """Wait at most *seconds* until other replicas can read what was written."""
        if not await self._write_queue.try_flush(seconds):
            log.warning("other replicas see new tasks only when Redis is available again")

    async def read(self, id: str) -> TaskRecord | None:
        """Return the record, or None. Raise StateUnavailable."""
        key = self._key(id)
        reply = await self._connection.run_script(READ_SCRIPT, [key], self._replicas)
        if reply is None:
            return None
        try:
            return TaskRecord(self._encryptor.decrypt_json(key, reply[1]), reply[0].decode(), bool(reply[2]))
        except DecryptionError:
            log.warning("a task in Redis cannot be decrypted", extra={"kind": self._kind})
            return None
