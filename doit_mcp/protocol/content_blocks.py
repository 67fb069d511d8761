"""Content blocks for older revisions: types that a revision does not have become text."""

from __future__ import annotations

from collections.abc import Iterable

from .downgrade import downgrade
from .jsonrpc import JsonObject
from .revisions import Revision

DEFINITION_NAMES = {
    "text": "TextContent",
    "image": "ImageContent",
    "audio": "AudioContent",
    "resource": "EmbeddedResource",
    "resource_link": "ResourceLink",
}
# The feature that introduced each newer block type.
FEATURES_BY_BLOCK_TYPE = {"audio": "audio", "resource_link": "resource.links"}


def downgrade_blocks(blocks: Iterable[JsonObject], revision: Revision) -> list[JsonObject]:
    """Return *blocks* for a client of *revision*, which would reject a whole result for one unknown type."""
    return [
        _block_as_text(block)
        if block["type"] in FEATURES_BY_BLOCK_TYPE and not revision.supports(FEATURES_BY_BLOCK_TYPE[block["type"]])
        else downgrade(DEFINITION_NAMES[block["type"]], block, revision)
        for block in blocks
    ]


def _block_as_text(block: JsonObject) -> JsonObject:
    if block["type"] == "resource_link":
        return {"type": "text", "text": f"{block.get('title') or block['name']}: {block['uri']}"}
    return {"type": "text", "text": f"[{block['type']}, {block['mimeType']}]"}
