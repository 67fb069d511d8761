"""Pages of the lists that a server offers, and how long a client may keep them."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol import cursors
from ...protocol.downgrade import downgrade
from ...protocol.jsonrpc import JsonObject, Request
from ..request_context import RequestContext


def paginate(context: RequestContext, request: Request, key: str, items: Sequence[JsonObject]) -> JsonObject:
    """The page that the request's cursor names, under *key*; RpcError -32602 for a cursor of another list."""
    fingerprint = f"{key}{context.catalog.fingerprint}"
    start = cursors.decode(request.params.get("cursor"), fingerprint, len(items))
    stop = start + context.catalog.page_size
    result: JsonObject = {key: list(items[start:stop])}
    if stop < len(items):
        result["nextCursor"] = cursors.encode(stop, fingerprint)
    return result | cache_hints(context, context.catalog.cache_milliseconds)


def cache_hints(context: RequestContext, ttl_milliseconds: int) -> JsonObject:
    """How long a result may be reused; behind authorization never for others (2026-07-28, Caching)."""
    return downgrade("Cacheable", {"ttlMs": ttl_milliseconds, "cacheScope": "private"}, context.caller.revision)
