"""Sessions of the handshake era: who opened them, at which revision, what runs in them. Bounded, and gone when idle."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..protocol.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Id,
    Notification,
    Request,
    Response,
    RpcError,
    notification_bytes,
)
from ..protocol.request_metadata import Caller
from ..resilience.unavailable import StateUnavailable
from .message_queue import MessageQueue
from .notification_hub import RESOURCE_UPDATED, ChangeEvent

DEFAULT_LOG_LEVEL = "info"
MAX_SUBSCRIPTIONS = 100
MAX_SUBSCRIPTION_BYTES = 8 << 10
"""Of all URIs that a session, or a stream of ``subscriptions/listen``, names."""


class MessageSink(Protocol):
    """Takes messages for the client."""

    def put(self, data: bytes) -> None:
        """Take one, without waiting."""

    async def wait_for_room(self) -> None:
        """Wait until there is room for one more."""


class SessionPeers(Protocol):
    """The connection of a session to other replicas."""

    async def save(self, session: Session) -> None:
        """Write the changes to the shared record. Raises StateUnavailable."""

    def forward(self, session: Session, item: Notification | Response) -> None:
        """Pass on a message of the client that nothing here waits for."""

    def announce_listener(self, session: Session) -> None:
        """End the streams of this session at other replicas: the client listens here now."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Session:
    """State that later requests find again; it holds no credential and authenticates nobody."""

    id: str
    owner: str
    caller: Caller
    last_used: float
    log_level: str = DEFAULT_LOG_LEVEL
    running_requests: dict[Id, asyncio.Task[object]] = field(default_factory=dict)
    # What the client was asked, and waits to answer.
    pending_questions: dict[Id, asyncio.Future[Response]] = field(default_factory=dict)
    # URIs whose changes the client wants to hear of.
    subscriptions: frozenset[str] = frozenset()
    # Where messages go that belong to no request: the stream that is open for them, if any.
    message_queue: MessageQueue | None = None
    # For whom an employee of DoiT acts here; "" for whom the token names. Counts for employees alone.
    customer: str = ""
    question_count: int = 0
    # Other replicas, if there are any, and the way to the stream of the client that one of them holds.
    peers: SessionPeers | None = None
    remote_queue: MessageSink | None = None
    # Whether something was changed that the others have to know.
    has_unsaved_changes: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether something runs or listens here."""
        return bool(self.running_requests) or self.message_queue is not None

    def start_request(self, request: Request, task: asyncio.Task[object]) -> None:
        """Remember the task that answers *request*; RpcError -32600 when its id is already in flight."""
        self.check_request_id(request)
        self.running_requests[request.id] = task
        task.add_done_callback(lambda _: self.running_requests.pop(request.id, None))

    def check_request_id(self, request: Request) -> None:
        """Raise RpcError -32600 when a request with this id is being answered."""
        if request.id in self.running_requests:
            raise RpcError(
                INVALID_REQUEST, "Invalid Request: a request with this id is already in flight", id=request.id
            )

    async def set_caller(self, caller: Caller) -> None:
        """Remember who initialized the session; RpcError -32603 if that cannot be saved."""
        self.caller = caller
        await self.save()

    async def save(self) -> None:
        """Let other replicas know what was changed; RpcError -32603 when that cannot be done at the moment."""
        if self.peers is not None:
            try:
                await self.peers.save(self)
            except StateUnavailable as away:
                raise RpcError(INTERNAL_ERROR, str(away)) from away
        self.has_unsaved_changes = False

    def receive(self, item: Notification | Response) -> None:
        """Take a message that is not answered; one that means nothing here may mean something elsewhere."""
        if not self.try_receive(item) and self.peers is not None:
            self.peers.forward(self, item)

    def try_receive(self, item: Notification | Response) -> bool:
        """Take a message that is not answered; False where somebody else may wait for it."""
        if isinstance(item, Response):
            return self.resolve_question(item)
        return item.method != "notifications/cancelled" or self.cancel_request(item.params.get("requestId"))

    def cancel_request(self, id: object) -> bool:
        """Stop the request with this id; nothing happens when there is none (Cancellation)."""
        # 1 == True == 1.0 in Python, so only the types that an id can have are looked up.
        if isinstance(id, (str, int)) and not isinstance(id, bool) and (task := self.running_requests.get(id)):
            task.cancel()
            return True
        return False

    def resolve_question(self, response: Response) -> bool:
        """The client answered a question; what nobody waits for (any more) is dropped."""
        waiting = self.pending_questions.pop(response.id, None) if response.id is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(response)
        return waiting is not None

    def send_change(self, change: ChangeEvent) -> None:
        """Pass a change on to the client, where it listens and wants to know."""
        if self.message_queue is None or (
            change.method == RESOURCE_UPDATED and change.subject not in self.subscriptions
        ):
            return
        self.message_queue.put(notification_bytes(change.method, change.params or {}))

    def attach_queue(self, queue: MessageQueue) -> None:
        """Messages go to *queue* from now on; the stream before it ends."""
        if self.message_queue is not None:
            self.message_queue.close()
        self.message_queue = queue
        if self.peers is not None:
            self.peers.announce_listener(self)

    def detach_queue(self, queue: MessageQueue) -> None:
        """The stream of *queue* is gone."""
        if self.message_queue is queue:
            self.message_queue = None

    def end(self) -> None:
        """Stop everything that runs here."""
        for task in list(self.running_requests.values()):
            task.cancel()
        if self.message_queue is not None:
            self.message_queue.close()


def new_session_id() -> str:
    """An unguessable session id of visible ASCII (Session Management)."""
    return secrets.token_hex(24)


class Sessions(Protocol):
    """Where sessions are kept; owners find only their own. Methods can raise StateUnavailable."""

    def __len__(self) -> int: ...

    async def open(self, owner: str, caller: Caller, queue: MessageQueue | None = None) -> Session:
        """A new session of *owner* with a fresh, unguessable id; with *queue* the client hears by that from now on."""

    async def find(self, id: str, owner: str) -> Session | None:
        """The live session with this id, if *owner* opened it; using it keeps it alive."""

    async def close(self, session: Session) -> None:
        """End the session; its id is unknown from now on."""

    def end_all(self) -> None:
        """End what runs here (shutdown)."""


class MemorySessions:
    """The sessions of one process; the least recently used go first when a bound is reached."""

    def __init__(
        self,
        *,
        idle_seconds: float,
        max_per_owner: int,
        max_total: int,
        clock: Callable[[], float] = time.monotonic,
        on_end: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self._idle_seconds, self._max_per_owner, self._max_total, self._clock = (
            idle_seconds,
            max_per_owner,
            max_total,
            clock,
        )
        self._on_end = on_end
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._ids_by_owner: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(self, owner: str, caller: Caller, queue: MessageQueue | None = None) -> Session:
        """A new session of *owner*."""
        self.close_idle()
        owned = self._ids_by_owner.get(owner)
        if owned is not None and len(owned) >= self._max_per_owner:
            self._close(self._sessions[next(iter(owned))])
        elif len(self._sessions) >= self._max_total:
            self._close(next(iter(self._sessions.values())))
        session = Session(new_session_id(), owner, caller, self._clock(), message_queue=queue)
        self._sessions[session.id] = session
        self._ids_by_owner.setdefault(owner, OrderedDict())[session.id] = None
        return session

    async def find(self, id: str, owner: str) -> Session | None:
        """The live session with this id."""
        session = self._sessions.get(id)
        if session is None or session.owner != owner:
            return None
        now = self._clock()
        if now - session.last_used >= self._idle_seconds and not session.is_busy:
            self._close(session)
            return None
        session.last_used = now
        self._sessions.move_to_end(id)
        self._ids_by_owner[owner].move_to_end(id)
        return session

    async def close(self, session: Session) -> None:
        """End the session."""
        self._close(session)

    def _close(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is None:
            return
        owned = self._ids_by_owner[session.owner]
        del owned[session.id]
        if not owned:
            del self._ids_by_owner[session.owner]
        session.end()
        self._on_end(session)

    def close_idle(self) -> None:
        """Close what has been idle for too long; the order of use makes this cost nothing when nothing is due."""
        now = self._clock()
        while self._sessions:
            session = next(iter(self._sessions.values()))
            if now - session.last_used < self._idle_seconds:
                return
            if session.is_busy:
                # In use although nothing arrived: it moves to the young end.
                session.last_used = now
                self._sessions.move_to_end(session.id)
            else:
                self._close(session)

    def end_all(self) -> None:
        """Close every session (shutdown)."""
        for session in list(self._sessions.values()):
            self._close(session)
