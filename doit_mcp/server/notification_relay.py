"""Relay: what is published at one replica is heard at all; what is too large for that is read by who needs it."""

from __future__ import annotations

import orjson

from ..redis_state.message_bus import MessageBus, Payload
from .notification_hub import TASK_UPDATED, ChangeEvent, NotificationHub
from .shared_tasks import TASK_MOVED

# What one change may take among the thousands that are kept for replicas that are slow (bytes).
MAX_CHANGE_BYTES = 4 << 10


def relay_notifications(hub: NotificationHub, bus: MessageBus) -> None:
    """Connect the *hub* of this replica with those of others."""

    def forward_change(change: ChangeEvent) -> None:
        # The result of a task has no bound of its own, and it stands in the task's note.
        if change.method == TASK_UPDATED and len(orjson.dumps(change.params)) > MAX_CHANGE_BYTES:
            bus.broadcast(TASK_MOVED, id=change.subject, owner=change.owner)
            return
        said = [change.method, change.subject, change.owner, change.params]
        bus.broadcast("change", change=said)

    async def receive_change(body: Payload) -> None:
        hub.publish_locally(ChangeEvent(*body["change"]))

    hub.forward = forward_change
    bus.on_message("change", receive_change)
