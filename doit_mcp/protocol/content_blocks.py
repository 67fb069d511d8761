"""Content blocks: a type that an older revision does not know is said in words instead."""

from __future__ import annotations

from collections.abc import Iterable

from .downgrade import fit
from .jsonrpc import JsonObject
from .revisions import Revision

KINDS = {
    "text": "TextContent",
    "image": "ImageContent",
    "audio": "AudioContent",
    "resource": "EmbeddedResource",
    "resource_link": "ResourceLink",
}
# The feature that each later type of block came with.
LATER_BLOCKS = {"audio": "audio", "resource_link": "resource.links"}


def fitting(blocks: Iterable[JsonObject], revision: Revision) -> list[JsonObject]:
    """*blocks* as a client of *revision* can read them; an unknown type would make it refuse the whole answer."""
    return [
        _in_words(block)
        if block["type"] in LATER_BLOCKS and not revision.has(LATER_BLOCKS[block["type"]])
        else fit(KINDS[block["type"]], block, revision)
        for block in blocks
    ]


def _in_words(block: JsonObject) -> JsonObject:
    if block["type"] == "resource_link":
        return {"type": "text", "text": f"{block.get('title') or block['name']}: {block['uri']}"}
    return {"type": "text", "text": f"[{block['type']}, {block['mimeType']}]"}
