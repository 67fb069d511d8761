"""Progress notifications for requests with a progress token (2024-11-05, Utilities, Progress)."""

from __future__ import annotations

from ..catalog.tools.sanitize import sanitize_text
from ..protocol.downgrade import downgrade
from ..protocol.jsonrpc import INVALID_PARAMS, MAX_ID_LENGTH, JsonObject, Request, RpcError, notification_bytes
from ..protocol.revisions import Revision
from .request_context import Channel


def check_progress_token(request: Request, meta: object) -> None:
    """Raise RpcError -32602 if the progress token in *meta* is too long: every notification repeats it."""
    if not isinstance(meta, dict) or "progressToken" not in meta:
        return
    token = meta["progressToken"]
    if isinstance(token, str) and len(token) > MAX_ID_LENGTH:
        text = f"Invalid params: params._meta.progressToken must have at most {MAX_ID_LENGTH} characters"
        raise RpcError(INVALID_PARAMS, text, id=request.id)


class ProgressReporter:
    """Reports the progress of one request.

    It does not refer to the call: the call refers to the API client, and the client to this object, so a reference back
    would be a cycle and keep each call alive until the next garbage collection.
    """

    __slots__ = ("_channel", "_revision", "_last_progress", "_token")

    def __init__(self, request: Request, channel: Channel, revision: Revision) -> None:
        meta = request.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        self._token = token if isinstance(token, (str, int)) and not isinstance(token, bool) else None
        self._channel, self._revision = channel, revision
        self._last_progress = -1.0

    @property
    def reaches_client(self) -> bool:
        """Whether the client asked for progress and can receive it."""
        return self._token is not None and self._channel.may_stream

    async def advance(self, message: str) -> None:
        """Report one more step, with *message*."""
        await self.report(max(self._last_progress, 0.0) + 1, message=message)

    async def report(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a notification if the request has a token and the progress has increased."""
        if self._token is None or done <= self._last_progress:
            return
        self._last_progress = done
        params: JsonObject = {"progressToken": self._token, "progress": done}
        if total is not None:
            params["total"] = total
        if message:
            # Progress messages of DoiT's assistants are text from the API.
            params["message"] = sanitize_text(message)
        downgraded = downgrade("Progress", params, self._revision)
        await self._channel.send(notification_bytes("notifications/progress", downgraded))
