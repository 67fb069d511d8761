"""Handler of ``logging/setLevel``: the level of the log messages sent to a session."""

from __future__ import annotations

from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ...protocol.request_metadata import LOG_LEVELS
from ..request_context import RequestContext


async def set_level(context: RequestContext, request: Request) -> JsonObject:
    """Set the session's log level. Without a session the level is ignored, because no log messages are sent."""
    level = request.params.get("level")
    if level not in LOG_LEVELS:
        raise RpcError(
            INVALID_PARAMS, f"Invalid params: params.level must be one of {', '.join(LOG_LEVELS)}", id=request.id
        )
    if context.session is not None:
        context.session.log_level = level
        await context.session.save()
    return {}
