"""Hub: tells whoever listens that a list or a resource has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from .message_queue import Outbox

TOOLS, PROMPTS, RESOURCES = (f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources"))
UPDATED = "notifications/resources/updated"
TASK = "notifications/tasks"


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed: the notification's *method*, what it is about (a URI, a task id, "" for lists), and for whom.

    *owner* "" means everybody; *params* are those of the notification.
    """

    method: str
    about: str = ""
    owner: str = ""
    params: dict[str, object] | None = None


# Takes a change without waiting; it is the listener's own affair what it does with it.
Listener = Callable[[Change], None]


class Listening:
    """A listener's place in the hub, while the block runs. Thousands of streams hold one: it is small."""

    __slots__ = ("_hub", "listener", "outbox", "owner")

    def __init__(self, hub: Hub, owner: str, listener: Listener, outbox: Outbox | None) -> None:
        self._hub, self.owner, self.listener, self.outbox = hub, owner, listener, outbox

    def __enter__(self) -> Self:
        self._hub.listeners[self] = None
        return self

    def __exit__(self, *failure: object) -> None:
        del self._hub.listeners[self]


class Hub:
    """The *listeners* of one process; *relay* tells those of others, where there are other processes."""

    def __init__(self, relay: Listener | None = None) -> None:
        self.relay = relay
        # In the order in which they came.
        self.listeners: dict[Listening, None] = {}

    def __len__(self) -> int:
        return len(self.listeners)

    def listening(self, owner: str, listener: Listener, outbox: Outbox | None = None) -> Listening:
        """Call *listener* for every change that concerns *owner* while the block runs; :meth:`close` ends the stream of
        *outbox*."""
        return Listening(self, owner, listener, outbox)

    def publish(self, change: Change) -> None:
        """Tell all whom it concerns, without waiting for any of them."""
        self.tell(change)
        if self.relay is not None:
            self.relay(change)

    def tell(self, change: Change) -> None:
        """Tell those whom it concerns in this process."""
        for listening in list(self.listeners):
            if change.owner in ("", listening.owner):
                listening.listener(change)

    def hears(self, owner: str) -> bool:
        """Whether anybody in this process listens for *owner*."""
        return any(listening.owner == owner for listening in self.listeners)

    def close(self) -> None:
        """End every stream politely (shutdown)."""
        for listening in list(self.listeners):
            if listening.outbox is not None:
                listening.outbox.close()
