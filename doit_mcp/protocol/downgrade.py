"""Members that came with a later revision, and the feature each came with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .jsonrpc import JsonObject
from .revisions import Revision

_CONTENT = {"_meta": "metadata"}
_LISTED = {"title": "titles", "icons": "icons", "_meta": "metadata"}

# Kinds bear the names of the schemas' definitions; LoggingMessage, Progress, CreateMessage, ElicitForm and ElicitURL
# are the params of those messages, Cacheable is what all cacheable results share. A kind without members here looks
# the same in every revision.
LATER: dict[str, dict[str, str]] = {
    "Implementation": {
        "title": "titles",
        "description": "implementation.details",
        "websiteUrl": "implementation.details",
        "icons": "icons",
    },
    "ServerCapabilities": {"completions": "completions", "extensions": "extensions"},
    "Tool": {
        "annotations": "tool.annotations",
        "outputSchema": "structured",
        **_LISTED,
        # Not of the specification: ChatGPT reads it beside _meta (OpenAI Apps SDK), so it goes where _meta goes.
        "securitySchemes": "metadata",
    },
    "CallToolResult": {"structuredContent": "structured"},
    "Resource": _LISTED,
    "ResourceTemplate": _LISTED,
    "ResourceContents": _CONTENT,
    "Prompt": _LISTED,
    "PromptArgument": {"title": "titles"},
    "PromptMessage": {},
    "TextContent": _CONTENT,
    "ImageContent": _CONTENT,
    "AudioContent": _CONTENT,
    "EmbeddedResource": _CONTENT,
    "ResourceLink": {"icons": "icons"},
    "Annotations": {"lastModified": "last.modified"},
    "Completion": {},
    "LoggingMessage": {},
    "Progress": {"message": "progress.message"},
    "SamplingMessage": {"_meta": "sampling.tools"},
    "CreateMessage": {"tools": "sampling.tools", "toolChoice": "sampling.tools"},
    "ElicitForm": {"mode": "url.elicitation"},
    "ElicitURL": {"elicitationId": "elicitation.ids"},
    "Cacheable": {"ttlMs": "cache.hints", "cacheScope": "cache.hints"},
}

NONE: dict[str, str] = {}
_ANNOTATED = {"annotations": "Annotations"}
# Members that are, or list, objects of another kind. Content blocks are not among them: see blocks.py.
PARTS: dict[str, dict[str, str]] = {
    "Resource": _ANNOTATED,
    "ResourceTemplate": _ANNOTATED,
    "Prompt": {"arguments": "PromptArgument"},
    "TextContent": _ANNOTATED,
    "ImageContent": _ANNOTATED,
    "AudioContent": _ANNOTATED,
    "EmbeddedResource": {**_ANNOTATED, "resource": "ResourceContents"},
    "ResourceLink": _ANNOTATED,
}


def fit(kind: str, value: JsonObject, revision: Revision) -> JsonObject:
    """*value* without the members that *revision* does not know, and its parts likewise; itself where all are known."""
    unknown, parts = _unknown(kind, revision), PARTS.get(kind, NONE)
    if unknown.isdisjoint(value) and parts.keys().isdisjoint(value):
        return value
    return {
        name: _part(parts[name], item, revision) if name in parts else item
        for name, item in value.items()
        if name not in unknown
    }


@lru_cache(maxsize=256)
def _unknown(kind: str, revision: Revision) -> frozenset[str]:
    return frozenset(name for name, feature in LATER[kind].items() if not revision.has(feature))


def _part(kind: str, item: Any, revision: Revision) -> Any:
    return [fit(kind, one, revision) for one in item] if isinstance(item, list) else fit(kind, item, revision)
