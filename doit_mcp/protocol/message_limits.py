"""Limits on messages: number of JSON values, list items, and string characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

JsonObject = dict[str, Any]
ValuePath = tuple[str | int, ...]
SchemaPath = tuple[str | None, ...]
"""Member names that lead into a schema. None means every item of a list."""

MAX_VALUES = 200_000
"""Maximum values in a JSON text. orjson parses this many in up to 60 ms, without interruption."""
MAX_INLINE_VALUES = 2_000
"""Maximum values that are walked on the event loop. Larger values go to the compute thread."""
MAX_INLINE_CHARACTERS = 16_000
"""Maximum characters in strings for the same purpose, because a string may contain JSON with as many values."""
MAX_LIST_ITEMS = 1_000
"""Default maximum of items for lists whose schema sets none."""
MAX_OPEN_OBJECT_VALUES = 20_000
"""Maximum values in an object whose schema allows any members."""
MAX_STRING_LENGTH = 20_000
"""Default maximum of characters for strings whose schema sets none."""

CONTAINER_TYPES = (dict, list)


def has_too_many_values(text: bytes) -> bool:
    """Return whether a JSON text has more than MAX_VALUES values, without parsing it.

    Empty lists and objects count twice, and invalid JSON may be reported too. Parsing first would be too late: four
    megabytes of empty lists take 100 MB and block the interpreter for 0.1 s.
    """
    # Every value but the first needs a separator, so most texts are too short to have too many.
    if len(text) <= 2 * MAX_VALUES or _count_separators(text) <= MAX_VALUES:
        return False
    # Some separators are inside strings.
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A value has at most two strings, its member name and itself. One value more than the separators is allowed.
    if text.count(b'"') > 4 * (MAX_VALUES + 1):
        return True
    return _count_separators(b"".join(text.split(b'"')[::2])) > MAX_VALUES


def _count_separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def is_large(value: Any, max_values: int = MAX_INLINE_VALUES, max_characters: int = MAX_INLINE_CHARACTERS) -> bool:
    """Return whether *value* has more than *max_values* values, or more than *max_characters* in all strings."""
    stack, value_count, character_count = [value], 0, 0
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            character_count += len(item)
            if character_count > max_characters:
                return True
        elif isinstance(item, CONTAINER_TYPES):
            value_count += len(item)
            if value_count > max_values:
                return True
            stack.extend(item.values() if isinstance(item, dict) else item)
    return False


def with_default_limits(schema: JsonObject) -> JsonObject:
    """Return *schema* with default limits for lists and strings that have none."""
    limited = dict(schema)
    if parts := schema.get("anyOf"):
        limited["anyOf"] = [with_default_limits(part) for part in parts]
    match schema.get("type"):
        case "array":
            limited.setdefault("maxItems", MAX_LIST_ITEMS)
            if "items" in schema:
                limited["items"] = with_default_limits(schema["items"])
        case "string" if "enum" not in schema:
            limited.setdefault("maxLength", MAX_STRING_LENGTH)
        case "object" if "properties" in schema:
            limited["properties"] = {name: with_default_limits(inner) for name, inner in schema["properties"].items()}
    return limited


def open_object_paths(schema: JsonObject, path: SchemaPath = ()) -> Iterator[SchemaPath]:
    """Yield the paths of objects in *schema* that allow any members."""
    for part in schema.get("anyOf", ()):
        yield from open_object_paths(part, path)
    if schema.get("type") == "array":
        yield from open_object_paths(schema.get("items", {}), (*path, None))
    elif schema.get("type") == "object" and ("properties" not in schema or schema.get("additionalProperties") is True):
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from open_object_paths(inner, (*path, name))


def iterate_values(value: Any, schema_path: SchemaPath, path: ValuePath = ()) -> Iterator[tuple[Any, ValuePath]]:
    """Yield the values at *schema_path*, each with its own path."""
    if len(path) == len(schema_path):
        yield value, path
        return
    step = schema_path[len(path)]
    if step is None and isinstance(value, list):
        for number, item in enumerate(value):
            yield from iterate_values(item, schema_path, (*path, number))
    elif step is not None and isinstance(value, dict) and step in value:
        yield from iterate_values(value[step], schema_path, (*path, step))
