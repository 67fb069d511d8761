"""Relays change notifications between replicas."""

from __future__ import annotations

import orjson

from ..server.notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from .message_bus import MessageBus, Payload
from .tasks import TASK_MOVED

# Redis keeps thousands of messages for slow replicas, so each one must be small.
MAX_CHANGE_BYTES = 4 << 10


def relay_notifications(hub: NotificationHub, bus: MessageBus) -> None:
    """Connect the *hub* of this replica with the hubs of the others."""

    def forward_change(change: ChangeEvent) -> None:
        # The result of a task can be large. Replicas that need it read the task's record instead.
        if change.method == TASK_UPDATED and len(orjson.dumps(change.params)) > MAX_CHANGE_BYTES:
            bus.broadcast(TASK_MOVED, id=change.subject, owner=change.owner)
            return
        bus.broadcast("change", change=[change.method, change.subject, change.owner, change.params])

    async def receive_change(body: Payload) -> None:
        hub.publish_locally(ChangeEvent(*body["change"]))

    hub.forward = forward_change
    bus.on_message("change", receive_change)
