"""The view of MCP Apps as a resource."""

from __future__ import annotations

from ...protocol.extensions import VIEWS
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..views.document import VIEW_MIME_TYPE, VIEW_URI_PATTERN, view_html, view_uri
from ..views.metadata import resource_view_meta
from .resource import Resource

CACHE_MILLISECONDS = 86_400_000
"""The bytes at a URI never change, because the URI contains their hash."""


def view_resource(domain: str = "") -> Resource:
    """Return the view. *domain* is the origin under which hosts run it; "" leaves it to the host.

    It is also returned for the URIs of other versions: conversations keep the tools that they have listed, and during
    an update, replicas run different versions. An error would leave an empty frame, but this version can draw the
    results, because they come from this version, too.
    """
    meta = resource_view_meta(domain)
    html = view_html()

    async def read(call: Call) -> JsonObject:
        return {"text": html, "_meta": meta}

    return Resource(
        view_uri(),
        "costs-view",
        "Costs",
        "Shows results of cost tools as charts and tables, in hosts of MCP Apps.",
        VIEW_MIME_TYPE,
        read,
        len(html.encode()),
        meta=meta,
        extension=VIEWS,
        other_uris=VIEW_URI_PATTERN,
        cache_milliseconds=CACHE_MILLISECONDS,
    )
