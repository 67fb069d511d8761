"""Bus: what replicas tell each other. One stream that all of them read, and one for each; read by one task."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..resilience.unavailable import StateUnavailable
from .connection import Command, RedisConnection
from .encryption import DecryptionError, Encryptor
from .key_names import name_variants
from .scripts import load_script
from .write_queue import WriteQueue

log = logging.getLogger(__name__)

Payload = dict[str, Any]
Handler = Callable[[Payload], Awaitable[None]]

# A replica says so often that it is alive, and is dead when it has not said so for the life (seconds).
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
    """The post of one replica. Messages are sealed JSON objects; each kind has a handler.

    A message is taken once, in the order of its sender, even where it had to be sent twice.
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
        # Each under every secret: replicas write where their own current one leads, and read everywhere.
        self._broadcast_streams = name_variants(connection.key("changes"))
        self._inboxes = name_variants(connection.key("inbox", self.replica_id))
        self._alive_keys = name_variants(self.replica_key(self.replica_id))
        self._positions: list[str] = []
        # The number of the last message of each sender, by stream.
        self._last_numbers: OrderedDict[tuple[str, str], int] = OrderedDict()

    def on_message(self, kind: str, handler: Handler) -> None:
        """Have messages of this kind handled."""
        self._handlers[kind] = handler

    def on_own_broadcast(self, kind: str, handler: Handler) -> None:
        """Have own broadcasts of this kind handled where they stand among those of others: all replicas read the same
        order."""
        self._own_handlers[kind] = handler

    def on_heartbeat(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have something done regularly, as long as Redis can be used."""
        self._heartbeat_callbacks.append(callback)

    def replica_key(self, replica: str) -> str:
        """The key that is there while that replica lives."""
        return self._connection.key("replica", replica)

    def broadcast(self, kind: str, **body: Any) -> bool:
        """Tell all other replicas; False where there is no room for it."""
        return self._enqueue(BROADCAST_SCRIPT, [self._broadcast_streams[0]], MAX_BROADCASTS, {"kind": kind, **body})

    def send_to(self, replica: str, kind: str, **body: Any) -> None:
        """Tell one replica, if it lives."""
        keys = [str(self._connection.key("inbox", replica)), str(self.replica_key(replica))]
        self._enqueue(SEND_SCRIPT, keys, MAX_INBOX_MESSAGES, {"kind": kind, **body})

    def _enqueue(self, script: str, keys: list[str], max_length: int, body: Payload) -> bool:
        self._number += 1
        sealed = self._encryptor.encrypt_json(f"{keys[0]} {self.replica_id} {self._number}", body)
        command: Command = (
            "EVAL",
            script,
            len(keys),
            *keys,
            max_length,
            STREAM_TTL_SECONDS,
            self.replica_id,
            self._number,
            sealed,
        )
        return self.write_queue.put(command)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Take part while the block runs."""
        try:
            await self._write_heartbeat()
            await self._reset_positions()
        except StateUnavailable:
            log.warning("started without Redis; sessions are refused until it can be used")
            # Others may use it before this one does, so nothing that stands there then is too old.
            self._positions = [STREAM_START for _ in self._streams]
        post = [asyncio.create_task(_run_forever(work)) for work in (self.write_queue.run, self._read_forever)]
        beating = asyncio.create_task(_run_forever(self._run_heartbeat))
        try:
            yield
            # Who says farewell is not heard of again.
            await _cancel_tasks(beating)
            await self._shut_down()
        finally:
            await _cancel_tasks(beating, *post)

    async def _shut_down(self) -> None:
        """Send what is still to be sent; then this replica is dead for the others."""
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await self.write_queue.flush()
                await self._connection.execute("DEL", *self._alive_keys, *self._inboxes)
        except (TimeoutError, StateUnavailable):
            log.warning("Redis was away at the end; other replicas find out by themselves")

    async def _write_heartbeat(self) -> None:
        for key in self._alive_keys:
            await self._connection.execute("SET", key, "1", "PX", int(self._ttl_seconds * 1000))

    async def _run_heartbeat(self) -> None:
        while True:
            try:
                await self._write_heartbeat()
                for keeper in self._heartbeat_callbacks:
                    await keeper()
            except StateUnavailable:
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
                continue
            await asyncio.sleep(self._heartbeat_seconds)

    @property
    def _streams(self) -> tuple[str, ...]:
        return (*self._broadcast_streams, *self._inboxes)

    async def _reset_positions(self) -> None:
        """Read from here on. A Redis that forgot everything may begin anew below what was read before."""
        newest = [one.decode() for one in await self._connection.run_script(NEWEST_IDS_SCRIPT, self._streams)]
        old = self._positions or newest
        self._positions = [min(pair, key=_parse_stream_id) for pair in zip(old, newest, strict=True)]

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
        how: tuple[str | int, ...] = ("COUNT", MAX_MESSAGES_PER_READ, "BLOCK", int(BLOCK_SECONDS * 1000))
        answer = await self._connection.execute(
            "XREAD", *how, "STREAMS", *streams, *self._positions, extra_seconds=BLOCK_SECONDS
        )
        for name, entries in answer or ():
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
            log.warning("an entry in Redis is not one of ours")
            return
        if number <= self._last_numbers.get((stream, origin), 0):
            return
        try:
            body = self._encryptor.decrypt_json(f"{stream} {origin} {number}", fields[b"m"])
            await self._dispatch(origin, body)
        except DecryptionError:
            log.warning("a message in Redis is not one of ours")
        except StateUnavailable:
            # It is read again when Redis can be used.
            raise
        except Exception:
            # One message that cannot be handled must not end the reading of all others.
            log.exception("a message of another replica could not be handled")
        self._last_numbers[stream, origin] = number
        self._last_numbers.move_to_end((stream, origin))
        if len(self._last_numbers) > MAX_KNOWN_SENDERS:
            self._last_numbers.popitem(last=False)

    async def _dispatch(self, origin: str, body: Payload) -> None:
        kind = body.pop("kind")
        if origin != self.replica_id:
            await self._handlers[kind](body)
        elif kind in self._own_handlers:
            await self._own_handlers[kind](body)


async def _cancel_tasks(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _run_forever(work: Callable[[], Awaitable[None]]) -> None:
    """Run *work*, which never ends by itself; a bug in it must not silence this replica."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("the post of this replica failed and goes on")
            await asyncio.sleep(RETRY_PAUSE_SECONDS)


def _parse_stream_id(id: str) -> tuple[int, int]:
    first, _, second = id.partition("-")
    return int(first), int(second)
