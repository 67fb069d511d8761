"""Shares renewed credentials of open streams with all replicas."""

from __future__ import annotations

from ..server.credential_expiry import NEVER_EXPIRES, StreamLeases
from .message_bus import MessageBus, Payload


def share_renewals(leases: StreamLeases, bus: MessageBus) -> None:
    """Connect the stream leases of this replica with those of the others.

    A client of HTTP+SSE may send its renewed token to a replica that does not hold its stream.
    """

    def forward(session: str, key: bytes, expires: float) -> None:
        # An API token never expires, and JSON has no infinity.
        bus.broadcast(
            "stream renewed", id=session, key=key.hex(), expires=None if expires == NEVER_EXPIRES else expires
        )

    async def receive(body: Payload) -> None:
        expires = NEVER_EXPIRES if body["expires"] is None else body["expires"]
        leases.receive_renewal(body["id"], bytes.fromhex(body["key"]), expires)

    leases.forward_renewal = forward
    bus.on_message("stream renewed", receive)
