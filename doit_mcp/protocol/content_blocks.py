"""Content blocks: a type that an older revision does not know is said in words instead."""

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
# The feature that each later type of block came with.
FEATURES_BY_BLOCK_TYPE = {"audio": "audio", "resource_link": "resource.links"}


def downgrade_blocks(blocks: Iterable[JsonObject], revision: Revision) -> list[JsonObject]:
    """*blocks* as a client of *revision* can read them; an unknown type would make it refuse the whole answer."""
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
