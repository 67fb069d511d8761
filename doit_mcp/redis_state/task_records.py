"""Notes: sealed values that one replica writes and all can read, until they end by themselves."""

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
    """A value, who wrote it, and whether that replica lives."""

    value: Any
    holder: str
    holder_alive: bool


class TaskRecords:
    """Notes of one kind, by id."""

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
        """Write without waiting; in the order of the calls."""
        key = self._key(id)
        fields = (self._replica, self._encryptor.encrypt_json(key, value), max(1, int(ttl * 1000)))
        self._write_queue.put((*eval_command(WRITE_SCRIPT, [key]), *fields))

    def delete(self, id: str) -> None:
        """Forget it."""
        self._write_queue.put(("DEL", *name_variants(self._key(id))))

    async def wait_until_saved(self, seconds: float) -> None:
        """Wait so long at most until all that was written can be read."""
        if not await self._write_queue.try_flush(seconds):
            log.warning("what was written can be read only when Redis can be used again")

    async def read(self, id: str) -> TaskRecord | None:
        """The note; None where there is none. Raises Away."""
        key = self._key(id)
        found = await self._connection.run_script(READ_SCRIPT, [key], self._replicas)
        if found is None:
            return None
        try:
            return TaskRecord(self._encryptor.decrypt_json(key, found[1]), found[0].decode(), bool(found[2]))
        except DecryptionError:
            log.warning("a note in Redis is not one of ours", extra={"kind": self._kind})
            return None
