"""Sessions of stateful requests: owner, revision, running requests and subscriptions, all bounded."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

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
"""Limit for all URIs that a session, or a stream of ``subscriptions/listen``, subscribes to."""


class MessageSink(Protocol):
    """Accepts messages for the client."""

    def put(self, data: bytes) -> None:
        """Accept a message without waiting."""

    async def wait_for_room(self) -> None:
        """Wait until another message fits."""


class SessionPeers(Protocol):
    """Connects a session to the other replicas."""

    async def save(self, session: Session) -> None:
        """Write the session's changes to the shared record. Raise StateUnavailable if that fails."""

    def forward(self, session: Session, item: Notification | Response) -> None:
        """Forward a client message that no request of this replica is waiting for."""

    def announce_listener(self, session: Session) -> None:
        """End this session's streams at other replicas: the client now listens at this one."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Session:
    """State shared by the requests of one client. It holds no credential and never authenticates a request."""

    id: str
    owner: str
    caller: Caller
    last_used: float
    log_level: str = DEFAULT_LOG_LEVEL
    running_requests: dict[Id, asyncio.Task[object]] = field(default_factory=dict)
    # Requests sent to the client that await a response.
    pending_questions: dict[Id, asyncio.Future[Response]] = field(default_factory=dict)
    # URIs of the resources that the client subscribed to.
    subscriptions: frozenset[str] = frozenset()
    # The queue of the open stream for messages that belong to no request, if any.
    message_queue: MessageQueue | None = None
    # The customer that a DoiT employee acts for; "" for the customer in the token. Ignored for other callers.
    customer: str = ""
    question_count: int = 0
    # The other replicas, if any, and the sink for the client's stream when another replica holds it.
    peers: SessionPeers | None = None
    remote_queue: MessageSink | None = None
    # Whether there are changes that the other replicas do not have yet.
    has_unsaved_changes: bool = False
    # Whether this process created it from its id: its subscriptions, log level and customer are lost.
    is_revived: bool = False
    # Whether the client has yet to be notified of that.
    announces_revival: bool = False
    # When it was initialized, in epoch seconds; 0 if that is unknown.
    started_at: float = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a request is running or a stream is open."""
        return bool(self.running_requests) or self.message_queue is not None

    def start_request(self, request: Request, task: asyncio.Task[object]) -> None:
        """Register *task* as handling *request*. Raise RpcError -32600 if the request id is already in flight."""
        self.check_request_id(request)
        self.running_requests[request.id] = task
        task.add_done_callback(partial(self.end_request, request.id))

    def end_request(self, id: Id, task: asyncio.Task[Any]) -> None:
        """Free *id* for the next request, unless one has taken it since *task* ended."""
        if self.running_requests.get(id) is task:
            del self.running_requests[id]

    def check_request_id(self, request: Request) -> None:
        """Raise RpcError -32600 if a request with this id is in flight."""
        if request.id in self.running_requests:
            raise RpcError(
                INVALID_REQUEST, "Invalid Request: a request with this id is already in flight", id=request.id
            )

    async def set_caller(self, caller: Caller) -> None:
        """Set the caller that initialized the session. Raise RpcError -32603 if it cannot be saved."""
        self.caller = caller
        await self.save()

    async def save(self) -> None:
        """Save changes for the other replicas. Raise RpcError -32603 if shared state is unavailable."""
        if self.peers is not None:
            try:
                await self.peers.save(self)
            except StateUnavailable as unavailable:
                raise RpcError(INTERNAL_ERROR, str(unavailable)) from unavailable
        self.has_unsaved_changes = False

    def receive(self, item: Notification | Response) -> None:
        """Handle a notification or response; forward it to the other replicas if it matches nothing here."""
        if not self.try_receive(item) and self.peers is not None:
            self.peers.forward(self, item)

    def try_receive(self, item: Notification | Response) -> bool:
        """Handle a notification or response. Return False if another replica may be waiting for it."""
        if isinstance(item, Response):
            return self.resolve_question(item)
        return item.method != "notifications/cancelled" or self.cancel_request(item.params.get("requestId"))

    def cancel_request(self, id: object) -> bool:
        """Cancel the request with this id. Return False if it is not running here (Cancellation)."""
        # 1 == True == 1.0 in Python, so look up only the types that an id can have.
        if isinstance(id, (str, int)) and not isinstance(id, bool) and (task := self.running_requests.get(id)):
            task.cancel()
            return True
        return False

    def resolve_question(self, response: Response) -> bool:
        """Deliver the client's answer to a question. Return False if no question with this id is open."""
        future = self.pending_questions.pop(response.id, None) if response.id is not None else None
        if future is not None and not future.done():
            future.set_result(response)
        return future is not None

    def send_change(self, change: ChangeEvent) -> None:
        """Send a change to the client if its stream is open and, for resource updates, it is subscribed."""
        if self.message_queue is None or (
            change.method == RESOURCE_UPDATED and change.subject not in self.subscriptions
        ):
            return
        self.message_queue.put(notification_bytes(change.method, change.params or {}))

    def attach_queue(self, queue: MessageQueue) -> None:
        """Send messages to *queue* from now on, and end the previous stream."""
        if self.message_queue is not None:
            self.message_queue.close()
        self.message_queue = queue
        if self.peers is not None:
            self.peers.announce_listener(self)

    def detach_queue(self, queue: MessageQueue) -> None:
        """Stop using *queue*, because its stream has ended."""
        if self.message_queue is queue:
            self.message_queue = None

    def end(self) -> None:
        """Cancel the running requests and close the stream."""
        for task in list(self.running_requests.values()):
            task.cancel()
        if self.message_queue is not None:
            self.message_queue.close()


# Called at the end of a session with the name of its revision and its duration in seconds.
OnSessionEnd = Callable[[str, float], None]


def report_end(session: Session, on_session_end: OnSessionEnd, idle_seconds: float = 0.0) -> None:
    """Call *on_session_end* for a session that ends now and was last used *idle_seconds* ago."""
    if session.started_at:
        seconds = time.time() - session.started_at - idle_seconds
        on_session_end(session.caller.revision.name, max(0.0, seconds))


def new_session_id() -> str:
    """Return an unguessable session id of visible ASCII characters (Session Management)."""
    return secrets.token_hex(24)


class Sessions(Protocol):
    """Stores sessions. Owners find only their own. Methods may raise StateUnavailable."""

    def __len__(self) -> int: ...

    async def open(self, owner: str, caller: Caller, queue: MessageQueue | None = None) -> Session:
        """Open a session for *owner* with a new, unguessable id. *queue* is the queue of its stream, if one is open."""

    async def find(self, id: str, owner: str) -> Session | None:
        """Return the live session with this id if *owner* opened it. This resets its idle time."""

    async def close(self, session: Session) -> None:
        """End the session. Its id is unknown from now on."""

    def end_all(self) -> None:
        """End everything running in this process (shutdown)."""
