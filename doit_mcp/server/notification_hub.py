"""Publishes changes of lists, resources and tasks to the listeners that they concern."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

from .message_queue import MessageQueue

TOOLS_CHANGED, PROMPTS_CHANGED, RESOURCES_CHANGED = (
    f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")
)
RESOURCE_UPDATED = "notifications/resources/updated"
TASK_UPDATED = "notifications/tasks"


class ChangeEvent(NamedTuple):
    """A change. *method* and *params* are those of its notification.

    *subject* is a URI or a task id, and "" for lists. *owner* is the owner that it concerns, and "" for all owners.
    """

    method: str
    subject: str = ""
    owner: str = ""
    params: dict[str, object] | None = None


# Called with each change. Must return without waiting.
ChangeListener = Callable[[ChangeEvent], None]


class HubSubscription:
    """Registers a listener while the block runs. Kept small, because each of thousands of streams has one."""

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
    """The *subscriptions* of one process. *forward*, if set, sends changes to the other processes."""

    def __init__(self, forward: ChangeListener | None = None) -> None:
        self.forward = forward
        # A dictionary, because it keeps the order of subscription.
        self.subscriptions: dict[HubSubscription, None] = {}

    def __len__(self) -> int:
        return len(self.subscriptions)

    def subscribe(
        self, owner: str, listener: ChangeListener, message_queue: MessageQueue | None = None
    ) -> HubSubscription:
        """Call *listener* for every change that concerns *owner* while the block runs.

        :meth:`close_streams` closes *message_queue*.
        """
        return HubSubscription(self, owner, listener, message_queue)

    def publish(self, change: ChangeEvent) -> None:
        """Send a change to all listeners that it concerns, in all processes, without waiting."""
        self.publish_locally(change)
        if self.forward is not None:
            self.forward(change)

    def publish_locally(self, change: ChangeEvent) -> None:
        """Send a change to the listeners that it concerns in this process."""
        for subscription in list(self.subscriptions):
            if change.owner in ("", subscription.owner):
                subscription.listener(change)

    def has_listener(self, owner: str) -> bool:
        """Return whether a listener in this process is subscribed for *owner*."""
        return any(subscription.owner == owner for subscription in self.subscriptions)

    def close_streams(self) -> None:
        """Close the queue of every stream, so that streams end after their last message (shutdown)."""
        for subscription in list(self.subscriptions):
            if subscription.message_queue is not None:
                subscription.message_queue.close()
