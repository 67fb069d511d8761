"""Bounds of what a peer sends: how many values a JSON text holds, and how long its lists and texts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

JsonObject = dict[str, Any]
ValuePath = tuple[str | int, ...]
SchemaPath = tuple[str | None, ...]
"""The names on the way into a schema; None stands for every item of a list."""

MAX_VALUES = 200_000
"""Values of one JSON text. orjson needs up to 60 ms for so many, and nothing interrupts it."""
MAX_INLINE_VALUES = 2_000
"""Values up to which work that visits each of them is done in place."""
MAX_INLINE_CHARACTERS = 16_000
"""Characters of all texts up to which the same holds: a text may be the JSON of as many values."""
MAX_LIST_ITEMS = 1_000
"""Items of a list whose schema says nothing else."""
MAX_OPEN_OBJECT_VALUES = 20_000
"""Values of an object that may have any members."""
MAX_STRING_LENGTH = 20_000
"""Characters of a text whose schema says nothing else."""

CONTAINER_TYPES = (dict, list)


def has_too_many_values(text: bytes) -> bool:
    """Whether the JSON *text* holds more than MAX_VALUES values, found out without parsing it. Empty lists and objects
    count twice; text that is not valid JSON may be reported too.

    Parsing first would be too late: four megabytes of empty lists take 100 MB and hold the interpreter for 0.1 s.
    """
    # Each value but the first needs a separator, so most texts are too short.
    if len(text) <= 2 * MAX_VALUES or _count_separators(text) <= MAX_VALUES:
        return False
    # Some of those are inside of strings.
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A value has at most two strings: its name and itself.
    if text.count(b'"') > 4 * MAX_VALUES:
        return True
    return _count_separators(b"".join(text.split(b'"')[::2])) > MAX_VALUES


def _count_separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def is_large(value: Any, max_values: int = MAX_INLINE_VALUES, max_characters: int = MAX_INLINE_CHARACTERS) -> bool:
    """Whether *value* holds more values than *max_values*, or texts with more than *max_characters* in all; counting stops
    there."""
    stack, found, characters = [value], 0, 0
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            characters += len(item)
            if characters > max_characters:
                return True
        elif isinstance(item, CONTAINER_TYPES):
            found += len(item)
            if found > max_values:
                return True
            stack.extend(item.values() if isinstance(item, dict) else item)
    return False


def with_default_limits(schema: JsonObject) -> JsonObject:
    """*schema* with the default bounds for every list and text that has none of its own."""
    found = dict(schema)
    if parts := schema.get("anyOf"):
        found["anyOf"] = [with_default_limits(part) for part in parts]
    match schema.get("type"):
        case "array":
            found.setdefault("maxItems", MAX_LIST_ITEMS)
            if "items" in schema:
                found["items"] = with_default_limits(schema["items"])
        case "string" if "enum" not in schema:
            found.setdefault("maxLength", MAX_STRING_LENGTH)
        case "object" if "properties" in schema:
            found["properties"] = {name: with_default_limits(one) for name, one in schema["properties"].items()}
    return found


def open_object_paths(schema: JsonObject, path: SchemaPath = ()) -> Iterator[SchemaPath]:
    """The places of the objects in *schema* that may have any members."""
    for part in schema.get("anyOf", ()):
        yield from open_object_paths(part, path)
    if schema.get("type") == "array":
        yield from open_object_paths(schema.get("items", {}), (*path, None))
    elif schema.get("type") == "object" and "properties" not in schema:
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from open_object_paths(inner, (*path, name))


def values_at(value: Any, schema_path: SchemaPath, path: ValuePath = ()) -> Iterator[tuple[Any, ValuePath]]:
    """What *value* has at *schema_path*, each with its own path."""
    if len(path) == len(schema_path):
        yield value, path
        return
    step = schema_path[len(path)]
    if step is None and isinstance(value, list):
        for number, item in enumerate(value):
            yield from values_at(item, schema_path, (*path, number))
    elif step is not None and isinstance(value, dict) and step in value:
        yield from values_at(value[step], schema_path, (*path, step))
