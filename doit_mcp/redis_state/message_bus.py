"""Messages between replicas: a Redis stream for broadcasts, and an inbox for each replica."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..process.task_cancellation import cancel_tasks
from ..resilience.unavailable import StateUnavailable
from .connection import Command, RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import name_variants
from .scripts import load_script
from .write_queue import WriteQueue

log = logging.getLogger(__name__)

Payload = dict[str, Any]
Handler = Callable[[Payload], Awaitable[None]]

# Interval of heartbeats, and the time without one after which a replica counts as dead.
HEARTBEAT_SECONDS, REPLICA_TTL_SECONDS = 3.0, 20.0
BLOCK_SECONDS = 5.0
MAX_MESSAGES_PER_READ = 100
RETRY_PAUSE_SECONDS = 0.2
MAX_BROADCASTS = 5_000
MAX_INBOX_MESSAGES = 100_000
STREAM_TTL_SECONDS = 600
MAX_KNOWN_SENDERS = 1_000
SHUTDOWN_SECONDS = 2.0
STREAM_START = "0-0"

BROADCAST_SCRIPT = load_script("publish_message")
SEND_SCRIPT = load_script("send_message")
NEWEST_IDS_SCRIPT = load_script("read_newest_ids")


class MessageBus:
    """Sends and receives the messages of one replica. They are encrypted JSON objects; each kind has a handler.

    Each message is handled once, in the order of its sender, even if it had to be sent twice.
    """

    def __init__(
        self,
        connection: RedisConnection,
        encryptor: Encryptor,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        ttl_seconds: float = REPLICA_TTL_SECONDS,
    ) -> None:
        self.replica_id = secrets.token_hex(8)
        self.write_queue = WriteQueue(connection)
        self._connection, self._encryptor, self._heartbeat_seconds, self._ttl_seconds = (
            connection,
            encryptor,
            heartbeat_seconds,
            ttl_seconds,
        )
        self._number = 0
        self._handlers: dict[str, Handler] = {}
        self._own_handlers: dict[str, Handler] = {}
        self._heartbeat_callbacks: list[Callable[[], Awaitable[None]]] = []
        # All variants: replicas write under their own current secret and read under every secret.
        self._broadcast_streams = name_variants(connection.key("changes"))
        self._inboxes = name_variants(connection.key("inbox", self.replica_id))
        self._alive_keys = name_variants(self.replica_key(self.replica_id))
        self._positions: list[str] = []
        # The number of the last message of each sender, by stream.
        self._last_numbers: OrderedDict[tuple[str, str], int] = OrderedDict()

    def on_message(self, kind: str, handler: Handler) -> None:
        """Set the handler of this kind of message."""
        self._handlers[kind] = handler

    def on_own_broadcast(self, kind: str, handler: Handler) -> None:
        """Set the handler of this replica's own broadcasts of this kind.

        It runs when they are read back, so that all replicas see the same order.
        """
        self._own_handlers[kind] = handler

    def on_heartbeat(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call *callback* with every heartbeat, while Redis is available."""
        self._heartbeat_callbacks.append(callback)

    def replica_key(self, replica: str) -> str:
        """Return the key that exists while *replica* is alive."""
        return self._connection.key("replica", replica)

    def broadcast(self, kind: str, **body: Any) -> bool:
        """Send a message to all other replicas. Return False if the write queue is full."""
        return self._enqueue(BROADCAST_SCRIPT, [self._broadcast_streams[0]], MAX_BROADCASTS, {"kind": kind, **body})

    def send_to(self, replica: str, kind: str, **body: Any) -> None:
        """Send a message to one replica, if it is alive."""
        keys = [str(self._connection.key("inbox", replica)), str(self.replica_key(replica))]
        self._enqueue(SEND_SCRIPT, keys, MAX_INBOX_MESSAGES, {"kind": kind, **body})

    def _enqueue(self, script: str, keys: list[str], max_length: int, body: Payload) -> bool:
        self._number += 1
        encrypted = self._encryptor.encrypt_json(f"{keys[0]} {self.replica_id} {self._number}", body)
        command: Command = (
            "EVAL",
            script,
            len(keys),
            *keys,
            max_length,
            STREAM_TTL_SECONDS,
            self.replica_id,
            self._number,
            encrypted,
        )
        return self.write_queue.put(command)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Send and receive messages while the block runs."""
        try:
            await self._write_heartbeat()
            await self._reset_positions()
        except StateUnavailable:
            log.warning("started without Redis; sessions are refused until it is available")
            # Other replicas may reach Redis earlier, so every message that they send until then must be read.
            self._positions = [STREAM_START for _ in self._streams]
        loops = [asyncio.create_task(_run_forever(work)) for work in (self.write_queue.run, self._read_forever)]
        heartbeat = asyncio.create_task(_run_forever(self._run_heartbeat))
        try:
            yield
            # A heartbeat after the deletion would restore the key.
            await cancel_tasks(heartbeat)
            await self._shut_down()
        finally:
            await cancel_tasks(heartbeat, *loops)

    async def _shut_down(self) -> None:
        """Send the queued messages, then remove this replica."""
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await self.write_queue.flush()
                await self._connection.execute("DEL", *self._alive_keys, *self._inboxes)
        except (TimeoutError, StateUnavailable):
            log.warning("Redis was unavailable at shutdown; other replicas notice that its heartbeat is missing")

    async def _write_heartbeat(self) -> None:
        for key in self._alive_keys:
            await self._connection.execute("SET", key, "1", "PX", int(self._ttl_seconds * 1000))

    async def _run_heartbeat(self) -> None:
        while True:
            try:
                await self._write_heartbeat()
                for callback in self._heartbeat_callbacks:
                    await callback()
            except StateUnavailable:
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
                continue
            await asyncio.sleep(self._heartbeat_seconds)

    @property
    def _streams(self) -> tuple[str, ...]:
        return (*self._broadcast_streams, *self._inboxes)

    async def _reset_positions(self) -> None:
        """Continue at the newest messages, or earlier if Redis lost its data and starts again with lower ids."""
        newest = [id.decode() for id in await self._connection.run_script(NEWEST_IDS_SCRIPT, self._streams)]
        positions = self._positions or newest
        self._positions = [min(pair, key=_parse_stream_id) for pair in zip(positions, newest, strict=True)]

    async def _read_forever(self) -> None:
        while True:
            try:
                await self._read_batch()
            except StateUnavailable:
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
                try:
                    await self._reset_positions()
                except StateUnavailable:
                    continue

    async def _read_batch(self) -> None:
        streams = self._streams
        options: tuple[str | int, ...] = ("COUNT", MAX_MESSAGES_PER_READ, "BLOCK", int(BLOCK_SECONDS * 1000))
        reply = await self._connection.execute(
            "XREAD", *options, "STREAMS", *streams, *self._positions, extra_seconds=BLOCK_SECONDS
        )
        for name, entries in reply or ():
            stream = name.decode()
            for id, fields in entries:
                await self._receive(stream, fields)
                self._positions[streams.index(stream)] = id.decode()
            if stream in self._inboxes:
                await self._connection.execute("XDEL", stream, *(id for id, _ in entries))

    async def _receive(self, stream: str, fields: dict[bytes, bytes]) -> None:
        try:
            origin, number = fields[b"o"].decode(), int(fields[b"n"])
        except (KeyError, ValueError):
            log.warning("an entry in Redis is not a message of this server")
            return
        if number <= self._last_numbers.get((stream, origin), 0):
            return
        try:
            body = self._encryptor.decrypt_json(f"{stream} {origin} {number}", fields[b"m"])
            await self._dispatch(origin, body)
        except DecryptionError:
            log.warning("a message in Redis cannot be decrypted")
        except StateUnavailable:
            # The message is read again when Redis is available.
            raise
        except Exception:
            # A failing handler must not stop the messages that follow.
            log.exception("a message of another replica could not be handled")
        self._last_numbers[stream, origin] = number
        self._last_numbers.move_to_end((stream, origin))
        if len(self._last_numbers) > MAX_KNOWN_SENDERS:
            self._last_numbers.popitem(last=False)

    async def _dispatch(self, origin: str, body: Payload) -> None:
        kind = body.pop("kind")
        if origin != self.replica_id:
            # Newer versions of the server send further kinds.
            if (handler := self._handlers.get(kind)) is not None:
                await handler(body)
        elif kind in self._own_handlers:
            await self._own_handlers[kind](body)


async def _run_forever(work: Callable[[], Awaitable[None]]) -> None:
    """Run *work*, an endless loop, and restart it if it fails, because a bug must not disconnect this replica."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("replica message loop failed; restarting it")
            await asyncio.sleep(RETRY_PAUSE_SECONDS)


def _parse_stream_id(id: str) -> tuple[int, int]:
    milliseconds, _, sequence = id.partition("-")
    return int(milliseconds), int(sequence)
