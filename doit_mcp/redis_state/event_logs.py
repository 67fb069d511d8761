"""Logs: what was sent on one stream of a session, kept in Redis for a client that comes back at another replica."""

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
# How long the opening of a log is waited for; it is the first thing that a client may come back for (seconds).
OPEN_TIMEOUT_SECONDS = 2.0

ADD_SCRIPT = load_script("append_event")
READ_SCRIPT = load_script("read_events")


@dataclass(frozen=True, slots=True)
class LogPage:
    """What a log has. *metadata* is what its holder said of it, None if Redis lost that; *complete*: *last* is the end."""

    first: int
    last: int
    complete: bool
    metadata: Any
    holder: str
    holder_alive: bool
    messages: list[tuple[int, bytes]]


class EventLogs:
    """Logs by session and stream. Each is written by one replica alone, so the numbers of messages are its own."""

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
        """The keys of a log and of what it is about."""
        key = self._connection.key("log", self._encryptor.hash_name(f"{session} {stream}"))
        return [key, join_names(":", (key, "about"))]

    async def create(self, session: str, stream: str, metadata: Any) -> None:
        """A new log; it is there afterwards unless Redis is away."""
        keys = self._keys(session, stream)
        self._enqueue(keys, "0-1", b"", False, self._encryptor.encrypt_json(keys[1], metadata))
        # Otherwise it will be there when Redis is; until then the client finds it at this replica.
        await self._write_queue.try_flush(OPEN_TIMEOUT_SECONDS)

    async def add(self, session: str, stream: str, number: int, data: bytes, *, last: bool) -> None:
        """Add a message; without *data*: the end alone."""
        await self._write_queue.wait_for_room()
        self._enqueue(self._keys(session, stream), f"{number}-0" if data else f"{number}-1", data, last)

    def _enqueue(self, keys: list[str], id: str, data: bytes, last: bool, *metadata: bytes) -> None:
        sealed = self._encryptor.encrypt(join_names(" ", (keys[0], id)), data) if data else b""
        fields: tuple[str | bytes | int, ...] = (id, sealed, int(last), self._replica, *metadata)
        # The beginning takes a place, too.
        self._write_queue.put((*eval_command(ADD_SCRIPT, keys), self._ttl, self._max_events + 1, *fields))

    def delete(self, session: str, stream: str) -> None:
        """Forget a log."""
        keys = self._keys(session, stream)
        self._write_queue.put(("DEL", *(variant for key in keys for variant in name_variants(key))))

    async def read(self, session: str, stream: str, number: int) -> LogPage | None:
        """The next messages after *number*; None where there is no log (any more). Raises Away."""
        keys = key, about_key = self._keys(session, stream)
        found = await self._connection.run_script(READ_SCRIPT, keys, number, MAX_MESSAGES_PER_PAGE, self._replicas)
        if found is None:
            return None
        first, last, done, about, holder, alive, entries = found
        try:
            messages = [
                (
                    _message_number(id),
                    self._encryptor.decrypt(join_names(" ", (key, id.decode())), _field(fields, b"m")),
                )
                for id, fields in entries
                if _field(fields, b"m")
            ]
            said = None if about is None else self._encryptor.decrypt_json(about_key, about)
        except DecryptionError:
            return None
        begun = first == b"0-1"
        return LogPage(
            0 if begun else _message_number(first),
            _message_number(last),
            done == b"1",
            said,
            holder.decode(),
            bool(alive),
            messages,
        )


def _message_number(id: bytes) -> int:
    return int(id.partition(b"-")[0])


def _field(flat: Sequence[bytes], name: bytes) -> bytes:
    return flat[flat.index(name) + 1]
