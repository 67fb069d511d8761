"""Members that came with a later revision, and the feature each came with."""

from __future__ import annotations

from .jsonrpc import JsonObject
from .revisions import Revision

LATER: dict[str, dict[str, str]] = {
    "Implementation": {
        "title": "titles",
        "description": "implementation.details",
        "websiteUrl": "implementation.details",
        "icons": "icons",
    },
    "Tool": {
        "annotations": "tool.annotations",
        "title": "titles",
        "outputSchema": "structured",
        "icons": "icons",
        "_meta": "metadata",
        # Not of the specification: ChatGPT reads it beside _meta (OpenAI Apps SDK), so it goes where _meta goes.
        "securitySchemes": "metadata",
    },
    "CallToolResult": {"structuredContent": "structured"},
    "ServerCapabilities": {"completions": "completions", "extensions": "extensions"},
    "Progress": {"message": "progress.message"},
    "Cacheable": {"ttlMs": "cache.hints", "cacheScope": "cache.hints"},
}


def fit(kind: str, value: JsonObject, revision: Revision) -> JsonObject:
    """*value* without the members that *revision* does not know."""
    later = LATER[kind]
    return {name: item for name, item in value.items() if name not in later or revision.has(later[name])}
