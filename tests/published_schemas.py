"""The published schemas of the protocol revisions: definitions, methods and members by revision.

``scripts/spec --revision`` stores them in ``data/mcp-schemas`` without their prose.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

NAMES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
SCHEMAS = Path(__file__).parent / "data" / "mcp-schemas"

# Kinds of wire.py without a definition of their own: the definition that contains them, and the path from there.
PLACES: dict[str, tuple[tuple[str, ...], ...]] = {
    "Annotations": (("Annotations",), ("TextContent", "properties", "annotations")),
    "Completion": (("CompleteResult", "properties", "completion"),),
    "Progress": (("ProgressNotification", "properties", "params"),),
    "LoggingMessage": (("LoggingMessageNotification", "properties", "params"),),
    "CreateMessage": (("CreateMessageRequest", "properties", "params"),),
    "ElicitForm": (("ElicitRequestFormParams",), ("ElicitRequest", "properties", "params")),
    "ElicitURL": (("ElicitRequestURLParams",),),
    "Cacheable": (("CacheableResult",), ("Result",)),
}


@lru_cache
def schema(name: str) -> dict[str, Any]:
    """Return the schema of one revision."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_bytes())
    return loaded


def definitions(name: str) -> dict[str, Any]:
    """Return the definitions of a revision by name; the keyword depends on the JSON Schema dialect."""
    document = schema(name)
    definitions_by_name: dict[str, Any] = document.get("$defs") or document["definitions"]
    return definitions_by_name


def members(name: str, union: str) -> dict[str, Any]:
    """Return the definitions in a union of messages, by method."""
    defined = definitions(name)
    if union not in defined:
        return {}
    parts = defined[union].get("anyOf", [{"$ref": union}])
    variants = [defined[part["$ref"].rpartition("/")[2]] for part in parts]
    return {part["properties"]["method"]["const"]: part for part in variants}


def properties(name: str, kind: str) -> list[str] | None:
    """Return the property names of a kind, or None if the revision does not have it."""
    defined = definitions(name)
    for first, *steps in PLACES.get(kind, ((kind,),)):
        definition = defined.get(first)
        for step in steps:
            definition = definition and definition.get(step)
        while definition and "$ref" in definition:
            definition = defined[definition["$ref"].rpartition("/")[2]]
        if definition and "properties" in definition:
            return sorted(definition["properties"])
    return None
