"""Labels for the items of lists: what users read instead of JSON, and copies of the items, limited in size."""

from __future__ import annotations

import re
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject
from .value_diff import HIDDEN, HIDDEN_BEFORE
from .value_formatting import MAX_LINES, entry_name, is_shortened, preview_entry, preview_value, shorten_value

MAX_LABEL_DEPTH = 4
"""Levels of an item that its label and its copy show. Deeper ones are counted in the label and left out of the copy."""
MAX_ITEM_BYTES = 1_000
"""Maximum size of the copy of one item as JSON. Larger items have only a label."""
MODES = {
    "is": "is",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "regexp": "matches",
}
"""The words for the comparison of a condition, by its mode."""
CONDITION_MEMBERS = {"id", "key", "type", "mode", "inverse", "inverse_selection", "values"}
MARKS = {"caseInsensitive": "ignoring case", "includeNull": "or no value", "include_null": "or no value"}
PLACEHOLDERS = (HIDDEN, HIDDEN_BEFORE)
AMBIGUOUS = re.compile(r"[,:;]\s|[()\"]|[,:;]$")
"""The separator between members of a label. Texts that contain it are quoted, so they cannot look like members."""


def item_text(item: Any, depth: int = 0) -> str:
    """Return a value as one short text without the syntax of JSON, such as "Alert at 50 %" or "service is EC2, RDS"."""
    if isinstance(item, list):
        return _list_text(item, depth)
    if not isinstance(item, dict):
        return preview_value(item)
    known = _format_known_item(item) if depth < MAX_LABEL_DEPTH else None
    return known or _members_text(item, depth)


def _list_text(items: list[Any], depth: int) -> str:
    if depth >= MAX_LABEL_DEPTH:
        return f"{len(items):,} items"
    texts = [_member_text(item, depth + 1) for item in items[:MAX_LINES]]
    texts += [f"and {len(items) - MAX_LINES:,} more"] if len(items) > MAX_LINES else []
    return shorten_value("; ".join(texts)) or "none"


def _format_known_item(item: JsonObject) -> str | None:
    """Return the label of an item of a kind that users know by another form; None for any other."""
    if entry_name(item) is not None and "role" in item and not any(map(_is_nested, item.values())):
        return preview_entry(item)
    if item.keys() == {"id", "name"}:
        return f"{preview_value(item['name'])} (id {preview_value(item['id'])})"
    if item.keys() == {"percentage"} and isinstance(item["percentage"], int | float):
        return f"Alert at {item['percentage']:g} %"
    if item.keys() == {"startDate", "endDate"}:
        return f"{preview_value(item['startDate'])} to {preview_value(item['endDate'])}"
    return _condition_text(item)


def _condition_text(item: JsonObject) -> str | None:
    """Return a scope, filter or component as text, such as "service_description is not EC2"; None for other items."""
    values = item.get("values")
    name = item.get("key", item.get("id"))
    is_known = item.keys() <= CONDITION_MEMBERS | MARKS.keys() and item.get("mode", "is") in MODES
    if not is_known or not isinstance(name, str) or not isinstance(values, list) or any(map(_is_nested, values)):
        return None
    inverse = item.get("inverse") is True or item.get("inverse_selection") is True
    verb = MODES[item.get("mode", "is")]
    verb = {"is": "is not"}.get(verb, f"not {verb}") if inverse else verb
    shown = ", ".join(_member_text(value, 1) for value in values[:MAX_LINES]) or "no value"
    more = f" and {len(values) - MAX_LINES:,} more" if len(values) > MAX_LINES else ""
    found = dict.fromkeys(text for member, text in MARKS.items() if item.get(member) is True)
    subject, marks = f"{_member_text(name, 1)} {verb}", "".join(f", {text}" for text in found)
    text = f"{subject} {shown}{more}{marks}"
    return (
        _format_counted_values(subject, values, marks)
        if is_shortened(text) and len(values) > 1
        else shorten_value(text)
    )


def _format_counted_values(subject: str, values: list[Any], marks: str) -> str:
    """Return a condition with the count of its values and the first ones that fit."""
    start = f"{subject} any of {len(values):,} values: "
    first = ""
    for value in values[:MAX_LINES]:
        longer = f"{first}{_member_text(value, 1)}, "
        if is_shortened(f"{start}{longer}…{marks}"):
            break
        first = longer
    return shorten_value(f"{start}{first}…{marks}")


def _members_text(item: JsonObject, depth: int) -> str:
    if depth >= MAX_LABEL_DEPTH:
        return f"{len(item):,} members"
    members = list(item.items())
    texts = [f"{shorten_value(name)}: {_member_text(value, depth + 1)}" for name, value in members[:MAX_LINES]]
    texts += [f"and {len(members) - MAX_LINES:,} more"] if len(members) > MAX_LINES else []
    return shorten_value(", ".join(texts)) or "none"


def _member_text(value: Any, depth: int) -> str:
    if _is_nested(value):
        return f"({item_text(value, depth)})" if value else "none"
    text = preview_value(value)
    is_ambiguous = isinstance(value, str) and value not in PLACEHOLDERS and AMBIGUOUS.search(text)
    return orjson.dumps(text).decode() if is_ambiguous else text


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def limit_item(item: JsonObject) -> JsonObject | None:
    """Return a copy of *item* for programs, with short texts; None if it is too large or too deep."""
    copy: JsonObject | None = _truncate(item, 0)
    return copy if copy is not None and len(orjson.dumps(copy)) <= MAX_ITEM_BYTES else None


def _truncate(value: Any, depth: int) -> Any:
    """Return a copy of *value*, with None for anything too deep or too long."""
    max_length = MAX_LINES if isinstance(value, dict) else MAX_ITEM_BYTES
    if _is_nested(value) and (depth >= MAX_LABEL_DEPTH or len(value) > max_length):
        return None
    if isinstance(value, dict):
        return {shorten_value(name): _truncate(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [_truncate(member, depth + 1) for member in value]
    return shorten_value(value) if isinstance(value, str) else value
