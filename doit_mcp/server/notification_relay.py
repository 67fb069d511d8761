"""Relay: what is published at one replica is heard at all; what is too large for that is read by who needs it."""

from __future__ import annotations

import orjson

from ..redis_state.message_bus import Body, Bus
from .notification_hub import TASK, Change, Hub
from .shared_tasks import MOVED

# What one change may take among the thousands that are kept for replicas that are slow (bytes).
MOST_CARRIED = 4 << 10


def relay(hub: Hub, bus: Bus) -> None:
    """Connect the *hub* of this replica with those of others."""

    def tell(change: Change) -> None:
        # The result of a task has no bound of its own, and it stands in the task's note.
        if change.method == TASK and len(orjson.dumps(change.params)) > MOST_CARRIED:
            bus.broadcast(MOVED, id=change.about, owner=change.owner)
            return
        said = [change.method, change.about, change.owner, change.params]
        bus.broadcast("change", change=said)

    async def heard(body: Body) -> None:
        hub.tell(Change(*body["change"]))

    hub.relay = tell
    bus.on("change", heard)
