"""Downgrades objects for older revisions by removing the members that newer revisions introduced."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .jsonrpc import JsonObject
from .revisions import Revision

_META_MEMBER = {"_meta": "metadata"}
_LIST_ENTRY_MEMBERS = {"title": "titles", "icons": "icons", "_meta": "metadata"}

# The feature that introduced each member, by schema definition. LoggingMessage, Progress, CreateMessage, ElicitForm and
# ElicitURL are the params of those messages; Cacheable stands for all cacheable results. A definition without members
# is the same in every revision.
MEMBER_FEATURES: dict[str, dict[str, str]] = {
    "Implementation": {
        "title": "titles",
        "description": "implementation.details",
        "websiteUrl": "implementation.details",
        "icons": "icons",
    },
    "ServerCapabilities": {"completions": "completions", "extensions": "skills"},
    "Tool": {
        "annotations": "tool.annotations",
        "outputSchema": "structured",
        **_LIST_ENTRY_MEMBERS,
        # From the OpenAI Apps SDK, not from MCP: ChatGPT reads it beside _meta, so it is sent whenever _meta is.
        "securitySchemes": "metadata",
    },
    "CallToolResult": {"structuredContent": "structured"},
    "Resource": _LIST_ENTRY_MEMBERS,
    "ResourceTemplate": _LIST_ENTRY_MEMBERS,
    "ResourceContents": _META_MEMBER,
    "Prompt": _LIST_ENTRY_MEMBERS,
    "PromptArgument": {"title": "titles"},
    "PromptMessage": {},
    "TextContent": _META_MEMBER,
    "ImageContent": _META_MEMBER,
    "AudioContent": _META_MEMBER,
    "EmbeddedResource": _META_MEMBER,
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

NO_NESTED_MEMBERS: dict[str, str] = {}
_ANNOTATIONS_MEMBER = {"annotations": "Annotations"}
# Members that hold objects of another definition, or lists of them. For content blocks, see content_blocks.py.
NESTED_DEFINITIONS: dict[str, dict[str, str]] = {
    "Resource": _ANNOTATIONS_MEMBER,
    "ResourceTemplate": _ANNOTATIONS_MEMBER,
    "Prompt": {"arguments": "PromptArgument"},
    "TextContent": _ANNOTATIONS_MEMBER,
    "ImageContent": _ANNOTATIONS_MEMBER,
    "AudioContent": _ANNOTATIONS_MEMBER,
    "EmbeddedResource": {**_ANNOTATIONS_MEMBER, "resource": "ResourceContents"},
    "ResourceLink": _ANNOTATIONS_MEMBER,
}


def downgrade(definition: str, value: JsonObject, revision: Revision) -> JsonObject:
    """Return *value* and its nested objects without members unknown to *revision*; *value* itself if all are known."""
    unknown, affected = _affected_members(definition, revision)
    if affected.isdisjoint(value):
        return value
    parts = NESTED_DEFINITIONS.get(definition, NO_NESTED_MEMBERS)
    return {
        name: _downgrade_nested(parts[name], item, revision) if name in parts else item
        for name, item in value.items()
        if name not in unknown
    }


@lru_cache(maxsize=256)
def _affected_members(definition: str, revision: Revision) -> tuple[frozenset[str], frozenset[str]]:
    """Return the members that *revision* does not know, and these together with those that hold nested objects."""
    features = MEMBER_FEATURES[definition]
    unknown = frozenset(name for name, feature in features.items() if not revision.supports(feature))
    return unknown, unknown.union(NESTED_DEFINITIONS.get(definition, NO_NESTED_MEMBERS))


def _downgrade_nested(kind: str, item: Any, revision: Revision) -> Any:
    return (
        [downgrade(kind, entry, revision) for entry in item]
        if isinstance(item, list)
        else downgrade(kind, item, revision)
    )
