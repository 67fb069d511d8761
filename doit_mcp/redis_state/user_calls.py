"""Shares with all replicas when users last had a call in progress, because another one may send their events."""

from __future__ import annotations

from ..events.user_calls import UserCalls
from .message_bus import MessageBus, Payload

# Redis keeps thousands of messages for slow replicas, so each one must be small.
MAX_TIMES_PER_MESSAGE = 100


def share_user_calls(calls: UserCalls, bus: MessageBus) -> None:
    """Connect the calls at this replica with those at the others."""

    def forward(times: dict[str, float]) -> None:
        items = list(times.items())
        for first in range(0, len(items), MAX_TIMES_PER_MESSAGE):
            bus.broadcast("calls", times=dict(items[first : first + MAX_TIMES_PER_MESSAGE]))

    async def receive(body: Payload) -> None:
        calls.receive(body["times"])

    calls.forward = forward
    bus.on_message("calls", receive)
