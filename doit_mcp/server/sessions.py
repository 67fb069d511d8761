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
from ..redis_state.errors import Away
from .message_queue import Outbox
from .notification_hub import UPDATED, Change

DEFAULT_LEVEL = "info"
MOST_SUBSCRIPTIONS = 100
MAX_SUBSCRIPTION_BYTES = 8 << 10
"""Of all URIs that a session, or a stream of ``subscriptions/listen``, names."""


class Way(Protocol):
    """Takes messages for the client."""

    def put(self, data: bytes) -> None:
        """Take one, without waiting."""

    async def room(self) -> None:
        """Wait until there is room for one more."""


class Elsewhere(Protocol):
    """What a session is at other replicas."""

    async def save(self, session: Session) -> None:
        """Write down what has changed. Raises Away."""

    def receive(self, session: Session, item: Notification | Response) -> None:
        """Pass a message of the client on, which nobody here waits for."""

    def listens(self, session: Session) -> None:
        """The client listens here from now on, and nowhere else."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Session:
    """State that later requests find again; it holds no credential and authenticates nobody (security S1, S2)."""

    id: str
    owner: str
    caller: Caller
    touched: float
    level: str = DEFAULT_LEVEL
    running: dict[Id, asyncio.Task[object]] = field(default_factory=dict)
    # What the client was asked, and waits to answer.
    asked: dict[Id, asyncio.Future[Response]] = field(default_factory=dict)
    # URIs whose changes the client wants to hear of.
    subscriptions: frozenset[str] = frozenset()
    # Where messages go that belong to no request: the stream that is open for them, if any.
    outbox: Outbox | None = None
    # For whom an employee of DoiT acts here; "" for whom the token names. Counts for employees alone.
    customer: str = ""
    questions: int = 0
    # Other replicas, if there are any, and the way to the stream of the client that one of them holds.
    elsewhere: Elsewhere | None = None
    away: Way | None = None
    # Whether something was changed that the others have to know.
    unsaved: bool = False

    @property
    def busy(self) -> bool:
        """Whether something runs or listens here."""
        return bool(self.running) or self.outbox is not None

    def start(self, request: Request, task: asyncio.Task[object]) -> None:
        """Remember the task that answers *request*; RpcError -32600 when its id is already in flight (S6)."""
        self.check_free(request)
        self.running[request.id] = task
        task.add_done_callback(lambda _: self.running.pop(request.id, None))

    def check_free(self, request: Request) -> None:
        """Raise RpcError -32600 when a request with this id is being answered."""
        if request.id in self.running:
            raise RpcError(
                INVALID_REQUEST, "Invalid Request: a request with this id is already in flight", id=request.id
            )

    async def save(self) -> None:
        """Let other replicas know what was changed; RpcError -32603 when that cannot be done at the moment."""
        if self.elsewhere is not None:
            try:
                await self.elsewhere.save(self)
            except Away as away:
                raise RpcError(INTERNAL_ERROR, str(away)) from away
        self.unsaved = False

    def receive(self, item: Notification | Response) -> None:
        """Take a message that is not answered; one that means nothing here may mean something elsewhere."""
        if not self.take(item) and self.elsewhere is not None:
            self.elsewhere.receive(self, item)

    def take(self, item: Notification | Response) -> bool:
        """Take a message that is not answered; False where somebody else may wait for it."""
        if isinstance(item, Response):
            return self.answered(item)
        return item.method != "notifications/cancelled" or self.cancel(item.params.get("requestId"))

    def cancel(self, id: object) -> bool:
        """Stop the request with this id; nothing happens when there is none (Cancellation)."""
        # 1 == True == 1.0 in Python, so only the types that an id can have are looked up.
        if isinstance(id, (str, int)) and not isinstance(id, bool) and (task := self.running.get(id)):
            task.cancel()
            return True
        return False

    def answered(self, response: Response) -> bool:
        """The client answered a question; what nobody waits for (any more) is dropped."""
        waiting = self.asked.pop(response.id, None) if response.id is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(response)
        return waiting is not None

    def hear(self, change: Change) -> None:
        """Pass a change on to the client, where it listens and wants to know."""
        if self.outbox is None or (change.method == UPDATED and change.about not in self.subscriptions):
            return
        self.outbox.put(notification_bytes(change.method, change.params or {}))

    def listen(self, outbox: Outbox) -> None:
        """Messages go to *outbox* from now on; the stream before it ends."""
        if self.outbox is not None:
            self.outbox.close()
        self.outbox = outbox
        if self.elsewhere is not None:
            self.elsewhere.listens(self)

    def leave(self, outbox: Outbox) -> None:
        """The stream of *outbox* is gone."""
        if self.outbox is outbox:
            self.outbox = None

    def end(self) -> None:
        """Stop everything that runs here."""
        for task in list(self.running.values()):
            task.cancel()
        if self.outbox is not None:
            self.outbox.close()


def new_id() -> str:
    """An unguessable session id of visible ASCII (Session Management; security S3)."""
    return secrets.token_hex(24)


class Sessions(Protocol):
    """Where sessions are kept; owners find their own alone (security S1). Methods may raise Away."""

    def __len__(self) -> int: ...

    async def open(self, owner: str, caller: Caller, outbox: Outbox | None = None) -> Session:
        """A new session of *owner* with a fresh, unguessable id; with *outbox* the client hears by that from now on."""

    async def find(self, id: str, owner: str) -> Session | None:
        """The live session with this id, if *owner* opened it; using it keeps it alive."""

    async def close(self, session: Session) -> None:
        """End the session; its id is unknown from now on."""

    def end_all(self) -> None:
        """End what runs here (shutdown)."""


class MemorySessions:
    """The sessions of one process; the least recently used go first when a bound is reached (security S8)."""

    def __init__(
        self,
        *,
        idle: float,
        per_owner: int,
        total: int,
        clock: Callable[[], float] = time.monotonic,
        ended: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self._idle, self._per_owner, self._total, self._clock = idle, per_owner, total, clock
        self._ended = ended
        self._all: OrderedDict[str, Session] = OrderedDict()
        self._owned: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    async def open(self, owner: str, caller: Caller, outbox: Outbox | None = None) -> Session:
        """A new session of *owner*."""
        self.expire()
        owned = self._owned.get(owner)
        if owned is not None and len(owned) >= self._per_owner:
            self._close(self._all[next(iter(owned))])
        elif len(self._all) >= self._total:
            self._close(next(iter(self._all.values())))
        session = Session(new_id(), owner, caller, self._clock(), outbox=outbox)
        self._all[session.id] = session
        self._owned.setdefault(owner, OrderedDict())[session.id] = None
        return session

    async def find(self, id: str, owner: str) -> Session | None:
        """The live session with this id."""
        session = self._all.get(id)
        if session is None or session.owner != owner:
            return None
        now = self._clock()
        if now - session.touched >= self._idle and not session.busy:
            self._close(session)
            return None
        session.touched = now
        self._all.move_to_end(id)
        self._owned[owner].move_to_end(id)
        return session

    async def close(self, session: Session) -> None:
        """End the session."""
        self._close(session)

    def _close(self, session: Session) -> None:
        if self._all.pop(session.id, None) is None:
            return
        owned = self._owned[session.owner]
        del owned[session.id]
        if not owned:
            del self._owned[session.owner]
        session.end()
        self._ended(session)

    def expire(self) -> None:
        """Close what has been idle for too long; the order of use makes this cost nothing when nothing is due."""
        now = self._clock()
        while self._all:
            session = next(iter(self._all.values()))
            if now - session.touched < self._idle:
                return
            if session.busy:
                # In use although nothing arrived: it moves to the young end.
                session.touched = now
                self._all.move_to_end(session.id)
            else:
                self._close(session)

    def end_all(self) -> None:
        """Close every session (shutdown)."""
        for session in list(self._all.values()):
            self._close(session)
