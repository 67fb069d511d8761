"""Shares the logins that the identity provider ended with all replicas."""

from __future__ import annotations

from ..auth.ended_logins import EndedLogins
from .message_bus import MessageBus, Payload


def share_ended_logins(ended: EndedLogins, bus: MessageBus) -> None:
    """Connect the ended logins of this replica with those of the others."""

    def forward(key: bytes, expires: float) -> None:
        bus.broadcast("login ended", key=key.hex(), expires=expires)

    async def receive(body: Payload) -> None:
        ended.receive_ended(bytes.fromhex(body["key"]), body["expires"])

    ended.forward_ended = forward
    bus.on_message("login ended", receive)
