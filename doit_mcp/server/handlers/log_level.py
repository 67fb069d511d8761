"""``logging/setLevel``: which log messages a session wants."""

from __future__ import annotations

from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ...protocol.request_metadata import LOG_LEVELS
from ..request_context import RequestContext


async def set_level(context: RequestContext, request: Request) -> JsonObject:
    """Remember the level; without a session there is nothing to remember it in, and nothing is ever sent."""
    level = request.params.get("level")
    if level not in LOG_LEVELS:
        raise RpcError(
            INVALID_PARAMS, f"Invalid params: params.level must be one of {', '.join(LOG_LEVELS)}", id=request.id
        )
    if context.session is not None:
        context.session.log_level = level
        await context.session.save()
    return {}
