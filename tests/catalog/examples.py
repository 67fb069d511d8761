"""Example values that fit a schema, as clients send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from doit_mcp.catalog.tools.tool import Tool

SPECIAL = {"startDate": "2026-01-01", "endDate": "2026-01-31", "maxResults": "40", "minCreationTime": "1700000000000"}
SPECIAL |= {"maxCreationTime": "1800000000000", "pageToken": "token", "phone": "+44"}
SPECIAL |= {"condition": "value", "dataSource": "billing", "primaryColor": "#aabbcc", "light": "#fff", "dark": "#000"}
SHAPES: tuple[str, ...] = (
    "12345678",
    "2026-01",
    "some-text",
    "#aabbcc",
    "123456789012",
    "2026-01-31",
    "2026-01-31T12:00:00Z",
)
SHAPES += ("DE", "01A2B3-C4D5E6-F70819", "123456", f"sr_{'0a' * 16}")
"""Strings to try for a pattern."""


def examples(schema: dict[str, Any], name: str = "") -> Iterator[Any]:
    """Yield values that fit a schema: every value of an enum, and the objects of :func:`objects`."""
    schema = {key: value for part in schema.get("allOf", [schema]) for key, value in part.items()}
    kind = schema.get("type")
    # null clears a field in an update; {"not": {}} means an absent field in the TypeScript server's schemas.
    choices = [choice for choice in schema.get("anyOf", ()) if choice not in ({"type": "null"}, {"not": {}})]
    if choices:
        yield from (value for choice in choices for value in examples(choice, name))
    elif "enum" in schema:
        yield from schema["enum"]
    elif "pattern" in schema:
        yield next(shape for shape in (f"some {name}", *SHAPES) if re.fullmatch(schema["pattern"], shape))
    elif kind == "string":
        yield SPECIAL.get(name, "a@b.example" if schema.get("format") == "email" else f"some {name}")
    elif kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        yield from {least, schema.get("maximum", least)}
    elif kind == "boolean":
        yield from (True, False)
    elif kind == "array":
        yield from ([item] for item in examples(schema.get("items", {"type": "string"}), name))
    elif kind == "object":
        yield from objects(schema)
    else:
        yield "anything"


def objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield objects in which every example of every field occurs once."""
    fields = schema.get("properties", {})
    least = {name: next(examples(fields[name], name)) for name in schema.get("required", ())}
    yield least
    for name, inner in fields.items():
        yield from ({**least, name: value} for value in examples(inner, name))


def with_change(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return *arguments*, with an example of a change added if *tool* requires one and none is given."""
    changes = tool.changes
    if changes is None or changes.has_changes(arguments):
        return arguments
    fields = tool.accepted_schema["properties"]
    choices = ({**arguments, name: value} for name in changes.names for value in examples(fields[name], name))
    return next(choice for choice in choices if changes.has_changes(choice))
