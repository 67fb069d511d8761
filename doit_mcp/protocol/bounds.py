"""Bounds of what a peer sends: how many values a JSON text holds, and how long its lists and texts are."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
Path = tuple[str | int, ...]

MAX_VALUES = 200_000
"""Values of one JSON text. orjson needs up to 60 ms for so many, and nothing interrupts it."""
MAX_LARGE_VALUES = 2_000
"""Values up to which work that visits each of them is done in place."""
MAX_LARGE_CHARACTERS = 16_000
"""Characters of all texts up to which the same holds: a text may be the JSON of as many values."""
MAX_ITEMS = 1_000
"""Items of a list whose schema says nothing else."""
MAX_TEXT = 20_000
"""Characters of a text whose schema says nothing else."""

CONTAINERS = (dict, list)


def has_too_many_values(text: bytes) -> bool:
    """Whether the JSON *text* holds more than MAX_VALUES values, found out without parsing it. Empty lists and objects
    count twice; text that is not valid JSON may be reported too.

    Parsing first would be too late: four megabytes of empty lists take 100 MB and hold the interpreter for 0.1 s.
    """
    # Each value but the first needs a separator, so most texts are too short.
    if len(text) <= 2 * MAX_VALUES or _separators(text) <= MAX_VALUES:
        return False
    # Some of those are inside of strings.
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A value has at most two strings: its name and itself.
    if text.count(b'"') > 4 * MAX_VALUES:
        return True
    return _separators(b"".join(text.split(b'"')[::2])) > MAX_VALUES


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def is_large(value: Any) -> bool:
    """Whether *value* holds more than MAX_LARGE_VALUES values, or texts with more than MAX_LARGE_CHARACTERS in all;
    counting stops there."""
    stack, found, characters = [value], 0, 0
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            characters += len(item)
            if characters > MAX_LARGE_CHARACTERS:
                return True
            continue
        if not isinstance(item, CONTAINERS):
            continue
        found += len(item)
        if found > MAX_LARGE_VALUES:
            return True
        stack.extend(item.values() if isinstance(item, dict) else item)
    return False


def bounded(schema: JsonObject) -> JsonObject:
    """*schema* with the default bounds for every list and text that has none of its own."""
    found = dict(schema)
    if parts := schema.get("anyOf"):
        found["anyOf"] = [bounded(part) for part in parts]
    match schema.get("type"):
        case "array":
            found.setdefault("maxItems", MAX_ITEMS)
            if "items" in schema:
                found["items"] = bounded(schema["items"])
        case "string" if "enum" not in schema:
            found.setdefault("maxLength", MAX_TEXT)
        case "object" if "properties" in schema:
            found["properties"] = {name: bounded(one) for name, one in schema["properties"].items()}
    return found


def overlong(value: Any, schema: JsonObject, path: Path = ()) -> tuple[Path, int] | None:
    """The place of a list in *value* with more items than *schema* allows, and how many those are; None if there is
    none. Lists in lists come later, so no more items are visited than are allowed."""
    parts = schema.get("anyOf", [schema])
    if isinstance(value, list):
        schema = next((part for part in parts if part.get("type") == "array"), {})
        most = schema.get("maxItems", len(value))
        if len(value) > most:
            return path, most
        items = schema.get("items", {})
        children = ((item, items, (*path, number)) for number, item in enumerate(value))
    elif isinstance(value, dict):
        known: JsonObject = next((part["properties"] for part in parts if "properties" in part), {})
        children = ((value[name], inner, (*path, name)) for name, inner in known.items() if name in value)
    else:
        return None
    found = (overlong(child, inner, place) for child, inner, place in children if isinstance(child, CONTAINERS))
    return next((one for one in found if one is not None), None)
