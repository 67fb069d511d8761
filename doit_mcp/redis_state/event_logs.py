"""Copies of event logs in Redis, from which a client can resume a stream at another replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .connection import RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import eval_command, join_names, name_variants
from .scripts import load_script
from .write_queue import WriteQueue

MAX_MESSAGES_PER_PAGE = 50
# How long to wait until a new log is in Redis, because a client may resume from its beginning.
OPEN_TIMEOUT_SECONDS = 2.0

ADD_SCRIPT = load_script("append_event")
READ_SCRIPT = load_script("read_events")


@dataclass(frozen=True, slots=True)
class LogPage:
    """Events of a log.

    *metadata* is what :meth:`EventLogs.create` stored, or None if Redis lost it. *complete* is whether the log ends
    with *last*.
    """

    first: int
    last: int
    complete: bool
    metadata: Any
    holder: str
    holder_alive: bool
    messages: list[tuple[int, bytes]]


class EventLogs:
    """Logs by session and stream. Only one replica writes to each log, so it can number the messages."""

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        write_queue: WriteQueue,
        replica: str,
        *,
        ttl: float,
        max_events: int,
    ) -> None:
        self._connection, self._encryptor, self._write_queue, self._replica = (
            connection,
            encryptor,
            write_queue,
            replica,
        )
        self._ttl, self._max_events = int(ttl * 1000), max_events
        self._replicas = connection.key("replica", "")

    def _keys(self, session: str, stream: str) -> list[str]:
        """Return the keys of a log and of its metadata."""
        key = self._connection.key("log", self._encryptor.hash_name(f"{session} {stream}"))
        return [key, join_names(":", (key, "about"))]

    async def create(self, session: str, stream: str, metadata: Any) -> None:
        """Create a log. Afterwards other replicas can read it, unless Redis is unavailable."""
        keys = self._keys(session, stream)
        self._enqueue(keys, "0-1", b"", False, self._encryptor.encrypt_json(keys[1], metadata))
        # If this fails, it is written when Redis is available again. Until then the client finds it at this replica.
        await self._write_queue.try_flush(OPEN_TIMEOUT_SECONDS)

    async def add(self, session: str, stream: str, number: int, data: bytes, *, last: bool) -> None:
        """Append a message. Without *data*, mark the end of the log."""
        await self._write_queue.wait_for_room()
        self._enqueue(self._keys(session, stream), f"{number}-0" if data else f"{number}-1", data, last)

    def _enqueue(self, keys: list[str], id: str, data: bytes, last: bool, *metadata: bytes) -> None:
        encrypted = self._encryptor.encrypt(join_names(" ", (keys[0], id)), data) if data else b""
        fields: tuple[str | bytes | int, ...] = (id, encrypted, int(last), self._replica, *metadata)
        # The entry at the beginning counts, too.
        self._write_queue.put((*eval_command(ADD_SCRIPT, keys), self._ttl, self._max_events + 1, *fields))

    def delete(self, session: str, stream: str) -> None:
        """Delete a log."""
        keys = self._keys(session, stream)
        self._write_queue.put(("DEL", *(variant for key in keys for variant in name_variants(key))))

    async def read(self, session: str, stream: str, number: int) -> LogPage | None:
        """Return the messages after *number*, or None if the log does not exist. Raise StateUnavailable."""
        keys = key, metadata_key = self._keys(session, stream)
        reply = await self._connection.run_script(READ_SCRIPT, keys, number, MAX_MESSAGES_PER_PAGE, self._replicas)
        if reply is None:
            return None
        first_id, last_id, done, metadata, holder, alive, entries = reply
        try:
            messages = [
                (
                    _message_number(id),
                    self._encryptor.decrypt(join_names(" ", (key, id.decode())), _read_field(fields, b"m")),
                )
                for id, fields in entries
                if _read_field(fields, b"m")
            ]
            decrypted = None if metadata is None else self._encryptor.decrypt_json(metadata_key, metadata)
        except DecryptionError:
            return None
        is_complete = first_id == b"0-1"
        return LogPage(
            0 if is_complete else _message_number(first_id),
            _message_number(last_id),
            done == b"1",
            decrypted,
            holder.decode(),
            bool(alive),
            messages,
        )


def _message_number(id: bytes) -> int:
    return int(id.partition(b"-")[0])


def _read_field(flat: Sequence[bytes], name: bytes) -> bytes:
    return flat[flat.index(name) + 1]
