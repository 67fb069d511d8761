"""Pagination of lists, and the cache hints of results."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol import cursors
from ...protocol.downgrade import downgrade
from ...protocol.jsonrpc import JsonObject, Request
from ..request_context import RequestContext


def paginate(context: RequestContext, request: Request, key: str, items: Sequence[JsonObject]) -> JsonObject:
    """Return the page at the request's cursor, under *key*. Raise RpcError -32602 for a cursor of another list."""
    fingerprint = f"{key}{context.catalog.fingerprint}"
    start = cursors.decode_cursor(request.params.get("cursor"), fingerprint, len(items))
    stop = start + context.catalog.page_size
    result: JsonObject = {key: list(items[start:stop])}
    if stop < len(items):
        result["nextCursor"] = cursors.encode_cursor(stop, fingerprint)
    return result | cache_hints(context, context.catalog.cache_milliseconds)


def cache_hints(context: RequestContext, ttl_milliseconds: int) -> JsonObject:
    """Return how long a client may cache a result. Results behind authorization are private (2026-07-28, Caching)."""
    return downgrade("Cacheable", {"ttlMs": ttl_milliseconds, "cacheScope": "private"}, context.caller.revision)
