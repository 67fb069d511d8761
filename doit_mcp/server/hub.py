"""Hub: tells whoever listens that a list or a resource has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .outbox import Outbox

TOOLS, PROMPTS, RESOURCES = (
    f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")
)
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


class Hub:
    """The listeners of one process; *relay* tells those of others, where there are other processes."""

    def __init__(self, relay: Listener | None = None) -> None:
        self.relay = relay
        self._listeners: dict[int, tuple[str, Listener]] = {}
        self._next = 0
        self._streams: set[Outbox] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    @contextmanager
    def listening(self, owner: str, listener: Listener) -> Iterator[None]:
        """Call *listener* for every change that concerns *owner* while the block runs."""
        self._next += 1
        key = self._next
        self._listeners[key] = (owner, listener)
        try:
            yield
        finally:
            del self._listeners[key]

    def publish(self, change: Change) -> None:
        """Tell all whom it concerns, without waiting for any of them."""
        self.tell(change)
        if self.relay is not None:
            self.relay(change)

    def tell(self, change: Change) -> None:
        """Tell those whom it concerns in this process."""
        for owner, listener in list(self._listeners.values()):
            if change.owner in ("", owner):
                listener(change)

    @contextmanager
    def until_closed(self, outbox: Outbox) -> Iterator[None]:
        """Let :meth:`close` end this stream while the block runs."""
        self._streams.add(outbox)
        try:
            yield
        finally:
            self._streams.discard(outbox)

    def close(self) -> None:
        """End every stream politely (shutdown)."""
        for outbox in list(self._streams):
            outbox.close()
