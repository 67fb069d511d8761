"""Progress: how far a request is, told to a client that asked (Progress; the 2024-11-05 utility of that name)."""

from __future__ import annotations

from ..protocol.jsonrpc import MAX_ID, JsonObject, Request, notification_bytes
from ..protocol.revisions import Revision
from ..protocol.wire import fit
from .context import Channel


class Progress:
    """The progress of one request. It knows nothing of the call whose progress it is: the DoiT client holds it, and the
    call holds the client, so that otherwise each call would live until the garbage collector comes by."""

    __slots__ = ("_channel", "_revision", "_steps", "_token")

    def __init__(self, request: Request, channel: Channel, revision: Revision) -> None:
        meta = request.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        self._token = token if _is_token(token) else None
        self._channel, self._revision = channel, revision
        self._steps = -1.0

    async def step(self, message: str) -> None:
        """One step further."""
        await self.tell(max(self._steps, 0.0) + 1, message=message)

    async def tell(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a notification if the request has a token; one that does not rise is none."""
        if self._token is None or done <= self._steps:
            return
        self._steps = done
        params: JsonObject = {"progressToken": self._token, "progress": done}
        if total is not None:
            params["total"] = total
        if message:
            params["message"] = message
        fitted = fit("Progress", params, self._revision)
        await self._channel.send(notification_bytes("notifications/progress", fitted))


def _is_token(token: object) -> bool:
    """Whether notifications can carry *token*: each repeats it, so it is no longer than an id may be."""
    if isinstance(token, str):
        return len(token) <= MAX_ID
    return isinstance(token, int) and not isinstance(token, bool)


class Unheard:
    """The progress of a task, which goes nowhere: its request has been answered (tasks extension, Y7)."""

    async def step(self, message: str) -> None:
        """Nobody is told."""

    async def tell(self, done: float, total: float | None = None, message: str = "") -> None:
        """Nobody is told."""
