"""Hub: tells whoever listens that a list or a resource has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from .message_queue import MessageQueue

TOOLS_CHANGED, PROMPTS_CHANGED, RESOURCES_CHANGED = (
    f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")
)
RESOURCE_UPDATED = "notifications/resources/updated"
TASK_UPDATED = "notifications/tasks"


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """Something changed: the notification's *method*, what it is about (a URI, a task id, "" for lists), and for whom.

    *owner* "" means everybody; *params* are those of the notification.
    """

    method: str
    subject: str = ""
    owner: str = ""
    params: dict[str, object] | None = None


# Takes a change without waiting; it is the listener's own affair what it does with it.
ChangeListener = Callable[[ChangeEvent], None]


class HubSubscription:
    """A listener's place in the hub, while the block runs. Thousands of streams hold one: it is small."""

    __slots__ = ("_hub", "listener", "message_queue", "owner")

    def __init__(
        self, hub: NotificationHub, owner: str, listener: ChangeListener, message_queue: MessageQueue | None
    ) -> None:
        self._hub, self.owner, self.listener, self.message_queue = hub, owner, listener, message_queue

    def __enter__(self) -> Self:
        self._hub.subscriptions[self] = None
        return self

    def __exit__(self, *failure: object) -> None:
        del self._hub.subscriptions[self]


class NotificationHub:
    """The *subscriptions* of one process; *forward* tells those of others, where there are other processes."""

    def __init__(self, forward: ChangeListener | None = None) -> None:
        self.forward = forward
        # In the order in which they came.
        self.subscriptions: dict[HubSubscription, None] = {}

    def __len__(self) -> int:
        return len(self.subscriptions)

    def subscribe(
        self, owner: str, listener: ChangeListener, message_queue: MessageQueue | None = None
    ) -> HubSubscription:
        """Call *listener* for every change that concerns *owner* while the block runs; :meth:`close` ends the stream of
        *message_queue*."""
        return HubSubscription(self, owner, listener, message_queue)

    def publish(self, change: ChangeEvent) -> None:
        """Tell all whom it concerns, without waiting for any of them."""
        self.publish_locally(change)
        if self.forward is not None:
            self.forward(change)

    def publish_locally(self, change: ChangeEvent) -> None:
        """Tell those whom it concerns in this process."""
        for listening in list(self.subscriptions):
            if change.owner in ("", listening.owner):
                listening.listener(change)

    def has_listener(self, owner: str) -> bool:
        """Whether anybody in this process listens for *owner*."""
        return any(listening.owner == owner for listening in self.subscriptions)

    def close_streams(self) -> None:
        """End every stream politely (shutdown)."""
        for listening in list(self.subscriptions):
            if listening.message_queue is not None:
                listening.message_queue.close()
