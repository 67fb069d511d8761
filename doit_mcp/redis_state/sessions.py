"""Sessions in Redis, so that every replica finds every session and messages reach the replica that needs them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from ..protocol.jsonrpc import INVALID_PARAMS, MAX_ID_LENGTH, Notification, Response
from ..protocol.request_metadata import Caller, make_caller
from ..protocol.revisions import REVISIONS_BY_NAME
from ..resilience.unavailable import StateUnavailable
from ..server.client_requests import ANSWER_TOO_LARGE, is_answer_too_large
from ..server.message_queue import MessageQueue
from ..server.sessions import OnSessionEnd, Session, new_session_id, report_end
from .message_bus import MessageBus, Payload
from .session_records import SessionRecord, SessionRecords

URI_FIELD_PREFIX = "uri:"
# The id of a question contains the id of the replica that asked, above this many random bits.
QUESTION_BITS = 32
QUESTION_ID = re.compile(r"doit-([0-9]{1,32})")
MAX_RENEWED_PER_CALL = 200


@dataclass(slots=True)
class RemoteQueue:
    """Sends messages to a stream that another replica holds."""

    bus: MessageBus
    kind: str
    holder: str
    id: str

    def put(self, data: bytes) -> None:
        """Send a message through the holder."""
        self.bus.send_to(self.holder, f"{self.kind} out", id=self.id, data=data.decode())

    async def wait_for_room(self) -> None:
        """Wait until the write queue has room, so that no message that a client expects is dropped."""
        await self.bus.write_queue.wait_for_room()


class RedisSessions:
    """Sessions of one *kind* as records in Redis. This process keeps an object only while something uses it.

    With *requires_holder* a session depends on the replica that opened it, because that one holds its stream. *on_end*
    is called for every session that ends, at any replica, and *on_session_end* for those that :meth:`close` ends here:
    no replica notices that a record expires. Only the record decides whether a session exists: replicas
    where something still runs learn from a message, or at the next heartbeat, that it ended.
    """

    def __init__(
        self,
        records: SessionRecords,
        bus: MessageBus,
        kind: str,
        *,
        requires_holder: bool = False,
        on_end: Callable[[str], None] = lambda _: None,
        on_session_end: OnSessionEnd = lambda revision, seconds: None,
    ) -> None:
        self._records, self._bus, self._kind, self._requires_holder = records, bus, kind, requires_holder
        self._notify_end, self._on_session_end = on_end, on_session_end
        self._local: WeakValueDictionary[str, Session] = WeakValueDictionary()
        handlers = {
            "end": self._on_end,
            "saved": self._on_saved,
            "cancel": self._on_cancel,
            "answer": self._on_answer,
            "listens": self._on_listener,
            "out": self._on_outgoing,
        }
        for name, handler in handlers.items():
            bus.on_message(f"{kind} {name}", handler)
        bus.on_own_broadcast(f"{kind} listens", self._on_own_listener)
        bus.on_heartbeat(self._renew_busy)

    def __len__(self) -> int:
        return len(self._local)

    async def open(self, owner: str, caller: Caller, queue: MessageQueue | None = None) -> Session:
        """Open a session. Beyond the owner's limit the least recently used sessions end, at all replicas."""
        session = self._make_session(new_session_id(), owner, caller)
        session.message_queue, session.started_at = queue, round(time.time(), 3)
        fields = self._record_fields(session)
        # The session must be known here before other replicas can send messages to it.
        self._local[session.id] = session
        evicted_ids = await self._records.create(session.id, owner, fields, pinned=self._requires_holder)
        session.peers = RedisSessionPeers(self, 1, fields)
        for id in evicted_ids:
            self._end_local(id)
            self._bus.broadcast(f"{self._kind} end", id=id)
        return session

    def _make_session(self, id: str, owner: str, caller: Caller) -> Session:
        # The number identifies the asking replica. It starts at random, so two objects of one session never use the
        # same one.
        start = (int(self._bus.replica_id, 16) << QUESTION_BITS) + secrets.randbits(QUESTION_BITS - 1)
        return Session(id, owner, caller, 0.0, question_count=start)

    async def find(self, id: str, owner: str) -> Session | None:
        """Return the session with the current values of its record."""
        return await self._load(id, owner, use=True)

    async def _load(self, id: str, owner: str, *, use: bool) -> Session | None:
        local = self._local.get(id)
        version = local.peers.version if local is not None and isinstance(local.peers, RedisSessionPeers) else 0
        record = await self._records.find(id, owner, version, renew=use)
        if record is None or not record.holder_alive:
            return None
        # Another request may have created the object while the record was read.
        session = self._local.get(id)
        if session is None:
            if record.fields is None:
                return await self._load(id, owner, use=use)
            session = self._make_session(id, owner, _read_caller(record.fields))
            session.peers = RedisSessionPeers(self, 0, {})
            if record.holder and record.holder != self._bus.replica_id:
                session.remote_queue = RemoteQueue(self._bus, self._kind, record.holder, id)
            self._local[id] = session
        self._refresh(session, record)
        return session

    def _refresh(self, session: Session, record: SessionRecord) -> None:
        peers = session.peers
        if record.fields is None or not isinstance(peers, RedisSessionPeers) or record.version <= peers.version:
            return
        fields = record.fields
        peers.version, peers.written_fields = record.version, {name: fields[name] for name in fields if name != "id"}
        session.caller, session.log_level = _read_caller(fields), fields["level"]
        # Records of an older release do not have it.
        session.started_at = fields.get("started", 0.0)
        session.subscriptions = frozenset(uri for name, uri in fields.items() if name.startswith(URI_FIELD_PREFIX))
        if not session.has_unsaved_changes:
            session.customer = fields["customer"]

    async def close(self, session: Session) -> None:
        """End the session: here at once, then at all replicas."""
        report_end(session, self._on_session_end)
        self._end_local(session.id)
        session.end()
        if self._requires_holder:
            # The stream has ended even if Redis is unavailable now, so the deletion is queued.
            self._bus.write_queue.put(self._records.delete_command(session.id, session.owner))
        else:
            await self._records.delete(session.id, session.owner)
        self._bus.broadcast(f"{self._kind} end", id=session.id)

    def _end_local(self, id: str) -> None:
        session = self._local.pop(id, None)
        if session is not None:
            session.end()
        self._notify_end(id)

    def end_all(self) -> None:
        """Stop what runs here; the sessions continue at other replicas (shutdown)."""
        for session in list(self._local.values()):
            session.end()

    async def save(self, session: Session, peers: RedisSessionPeers) -> None:
        """Write the fields that differ from the record."""
        fields = self._record_fields(session)
        changed = {name: value for name, value in fields.items() if peers.written_fields.get(name) != value}
        removed = peers.written_fields.keys() - fields.keys()
        if not changed and not removed:
            return
        try:
            version = await self._records.update(session.id, session.owner, changed, removed)
        except StateUnavailable:
            # The client gets an error, so the next use must read the record again.
            peers.version, session.has_unsaved_changes = 0, False
            raise
        if version is None:
            self._end_local(session.id)
            return
        peers.written_fields = fields
        # If another replica changed the record in between, that change must still be read.
        if version == peers.version + 1:
            peers.version = version
        self._bus.broadcast(f"{self._kind} saved", id=session.id)

    def _record_fields(self, session: Session) -> dict[str, Any]:
        caller = session.caller
        fields: dict[str, Any] = {
            "caller": [caller.revision.name, caller.client_info, caller.capabilities],
            "level": session.log_level,
            "customer": session.customer,
        }
        if session.started_at:
            fields["started"] = session.started_at
        return fields | {URI_FIELD_PREFIX + self._records.hash_name(uri): uri for uri in session.subscriptions}

    def forward(self, session: Session, item: Notification | Response) -> None:
        """Send a message that nothing here waits for to the replica that needs it, or to all."""
        if isinstance(item, Notification):
            id = item.params.get("requestId")
            # A value that cannot be an id cancels nothing at any replica.
            if isinstance(id, (str, int)) and len(str(id)) <= MAX_ID_LENGTH:
                self._bus.broadcast(f"{self._kind} cancel", id=session.id, request=id)
        elif (asker := _asking_replica(item.id)) is not None and asker != self._bus.replica_id:
            answer = [item.id, item.result, item.error]
            if is_answer_too_large(answer):
                # The asking replica still gets a response, and Redis stores little.
                answer = [item.id, None, {"code": INVALID_PARAMS, "message": ANSWER_TOO_LARGE}]
            self._bus.send_to(asker, f"{self._kind} answer", id=session.id, answer=answer)

    def announce_listener(self, session: Session, peers: RedisSessionPeers) -> None:
        """End the streams of this session at other replicas: each message goes to one stream (Multiple Connections)."""
        if self._bus.broadcast(f"{self._kind} listens", id=session.id):
            peers.pending_announcements += 1

    async def _renew_busy(self) -> None:
        """Extend the lifetime of sessions in use, and end those whose records no longer exist."""
        busy = [session for session in list(self._local.values()) if session.is_busy and session.peers is not None]
        for batch in (
            busy[start : start + MAX_RENEWED_PER_CALL] for start in range(0, len(busy), MAX_RENEWED_PER_CALL)
        ):
            renewed = await self._records.renew((session.id, session.owner) for session in batch)
            for session, exists in zip(batch, renewed, strict=True):
                if not exists:
                    self._end_local(session.id)

    async def _on_end(self, body: Payload) -> None:
        self._end_local(body["id"])

    async def _on_saved(self, body: Payload) -> None:
        session = self._local.get(body["id"])
        if session is not None:
            await self._load(session.id, session.owner, use=False)

    async def _on_cancel(self, body: Payload) -> None:
        session = self._local.get(body["id"])
        if session is not None:
            session.cancel_request(body["request"])

    async def _on_answer(self, body: Payload) -> None:
        session = self._local.get(body["id"])
        if session is not None:
            session.resolve_question(Response(*body["answer"]))

    async def _on_listener(self, body: Payload) -> None:
        session = self._local.get(body["id"])
        if session is None or session.message_queue is None:
            return
        # An announcement that is read before this replica's own is older than the stream here.
        if not (isinstance(session.peers, RedisSessionPeers) and session.peers.pending_announcements):
            session.message_queue.close()

    async def _on_own_listener(self, body: Payload) -> None:
        session = self._local.get(body["id"])
        if session is not None and isinstance(session.peers, RedisSessionPeers):
            session.peers.pending_announcements = max(0, session.peers.pending_announcements - 1)

    async def _on_outgoing(self, body: Payload) -> None:
        session = self._local.get(body["id"])
        if session is not None and session.message_queue is not None:
            session.message_queue.put(body["data"].encode())


class RedisSessionPeers:
    """Implements :class:`doit_mcp.server.sessions.SessionPeers`. Holds the record version of a session in this process.

    *pending_announcements* counts streams opened here whose announcement has not been read back from Redis yet.
    """

    __slots__ = ("_sessions", "pending_announcements", "version", "written_fields")

    def __init__(self, sessions: RedisSessions, version: int, written_fields: dict[str, Any]) -> None:
        self._sessions, self.version, self.written_fields = sessions, version, written_fields
        self.pending_announcements = 0

    async def save(self, session: Session) -> None:
        """Write the changes to the record."""
        await self._sessions.save(session, self)

    def forward(self, session: Session, item: Notification | Response) -> None:
        """Forward a message to other replicas."""
        self._sessions.forward(session, item)

    def announce_listener(self, session: Session) -> None:
        """End the session's streams at other replicas."""
        self._sessions.announce_listener(session, self)


def _asking_replica(id: object) -> str | None:
    """Return the replica that asked the question with this id, or None if no replica did."""
    match = QUESTION_ID.fullmatch(id) if isinstance(id, str) else None
    return None if match is None else f"{int(match[1]) >> QUESTION_BITS:016x}"


def _read_caller(fields: dict[str, Any]) -> Caller:
    revision, client, capabilities = fields["caller"]
    # The record of an older release can contain fields that this one drops.
    return make_caller(REVISIONS_BY_NAME[revision], client, capabilities)
