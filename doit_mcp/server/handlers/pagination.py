"""Pages of the lists that a server offers, and how long a client may keep them."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol import cursors
from ...protocol.downgrade import fit
from ...protocol.jsonrpc import JsonObject, Request
from ..request_context import Context


def page(context: Context, request: Request, key: str, items: Sequence[JsonObject]) -> JsonObject:
    """The page that the request's cursor names, under *key*; RpcError -32602 for a cursor of another list."""
    fingerprint = f"{key}{context.offer.fingerprint}"
    start = cursors.decode(request.params.get("cursor"), fingerprint, len(items))
    stop = start + context.offer.page_size
    result: JsonObject = {key: list(items[start:stop])}
    if stop < len(items):
        result["nextCursor"] = cursors.encode(stop, fingerprint)
    return result | hints(context, context.offer.cache_ms)


def hints(context: Context, life_ms: int) -> JsonObject:
    """How long a result may be reused; behind authorization never for others (2026-07-28, Caching)."""
    return fit("Cacheable", {"ttlMs": life_ms, "cacheScope": "private"}, context.caller.revision)
