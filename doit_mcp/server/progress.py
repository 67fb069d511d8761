"""Progress: how far a request is, told to a client that asked (Progress; the 2024-11-05 utility of that name)."""

from __future__ import annotations

from ..catalog.tools.sanitize import sanitize_text
from ..protocol.downgrade import downgrade
from ..protocol.jsonrpc import INVALID_PARAMS, MAX_ID_LENGTH, JsonObject, Request, RpcError, notification_bytes
from ..protocol.revisions import Revision
from .request_context import Channel


def check_progress_token(request: Request, meta: object) -> None:
    """Raise RpcError -32602 for a progress token in *meta* that is too long: every notification repeats it."""
    if not isinstance(meta, dict) or "progressToken" not in meta:
        return
    token = meta["progressToken"]
    if isinstance(token, str) and len(token) > MAX_ID_LENGTH:
        text = f"Invalid params: params._meta.progressToken must have at most {MAX_ID_LENGTH} characters"
        raise RpcError(INVALID_PARAMS, text, id=request.id)


class ProgressReporter:
    """The progress of one request. It knows nothing of the call whose progress it is: the DoiT client holds it, and the
    call holds the client, so that otherwise each call would live until the garbage collector comes by."""

    __slots__ = ("_channel", "_revision", "_last_progress", "_token")

    def __init__(self, request: Request, channel: Channel, revision: Revision) -> None:
        meta = request.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        self._token = token if isinstance(token, (str, int)) and not isinstance(token, bool) else None
        self._channel, self._revision = channel, revision
        self._last_progress = -1.0

    async def advance(self, message: str) -> None:
        """One step further."""
        await self.report(max(self._last_progress, 0.0) + 1, message=message)

    async def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a notification if the request has a token; one that does not rise is none."""
        if self._token is None or done <= self._last_progress:
            return
        self._last_progress = done
        params: JsonObject = {"progressToken": self._token, "progress": done}
        if total is not None:
            params["total"] = total
        if message:
            # Steps of the assistants are text from the API.
            params["message"] = sanitize_text(message)
        fitted = downgrade("Progress", params, self._revision)
        await self._channel.send(notification_bytes("notifications/progress", fitted))


class SilentProgress:
    """The progress of a task, which goes nowhere: its request has been answered (tasks extension)."""

    async def advance(self, message: str) -> None:
        """Nobody is told."""

    async def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Nobody is told."""
