"""The rows of a change record: fields with their values before and after, or the items added and removed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...api.operation import operation_of
from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .conditions import without_defaults
from .item_labels import item_text, limit_item
from .receipt_verification import member_key
from .value_diff import UNKNOWN, DiffLine, are_numbers, value_key
from .value_formatting import MAX_LINES, is_shortened, shorten_value

NAME_FIELDS = (
    "name",
    "displayName",
    "reportName",
    "budgetName",
    "title",
    "subject",
    "email",
    "accountName",
    "description",
    "content",
)
"""Fields that name an object to users, best first."""
MAX_ITEMS = 200
"""Maximum number of items in all lists of one change together. The others are counted."""
MAX_COPIES = 40
"""Maximum number of items of one change that are copied for programs."""
ASSIGNING_VERB = "assign"
EMPTY_LIST_TEXT = "none"
MAX_LIST_CHARACTERS = 1_000
"""Maximum characters of a list that is shown as a whole because its order or repeated items matter."""


def name_of(values: JsonObject) -> str | None:
    """Return the name by which users know the object with these *values*; None without one."""
    return next((values[name] for name in NAME_FIELDS if isinstance(values.get(name), str) and values[name]), None)


def item_names(state: JsonObject, fields: Collection[str]) -> dict[str, str]:
    """Return the names of the items in the lists *fields* of *state*, by their ids."""
    items = (item for name in fields if isinstance(state.get(name), list) for item in state[name])
    return {item["id"]: name for item in items if isinstance(item, dict) and "id" in item and (name := name_of(item))}


def member_arguments(tool: Tool, arguments: JsonObject) -> dict[str, str]:
    """Return which *arguments* are items that the write adds to a list or removes from it: "added" or "removed"."""
    facts = tool.facts
    kinds = {facts.get("adds", ""): "added", facts.get("removes", ""): "removed"}
    if tool.verb == ASSIGNING_VERB and "adds" not in facts:
        kinds |= {name: "added" for name, value in arguments.items() if isinstance(value, list)}
    return {name: kind for name, kind in kinds.items() if name in arguments}


def member_rows(
    tool: Tool, arguments: JsonObject, related: Mapping[str, JsonObject], members: Collection[str] | None
) -> list[JsonObject]:
    """Return the row {field, added, removed} of the list whose items the write adds or removes, if it does.

    *members* are the keys of the items that the list already has; None if unknown.
    """
    rows: dict[str, JsonObject] = {}
    keys = tool.facts.get("adds", ""), tool.facts.get("removes", "")
    for name, kind in member_arguments(tool, arguments).items():
        items = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
        if members is not None:
            items = [item for item in items if (member_key(item, keys) in members) is (kind == "removed")]
        found = related.get(name, {})
        texts = [str(found.get("email") or name_of(found) or item_text(item)) for item in items]
        field = _list_name(tool) or name
        row = rows.setdefault(field, {"field": field, "added": [], "removed": []})
        row[kind] = [shorten_value(text) for text in texts]
    return [row for row in rows.values() if row["added"] or row["removed"]]


def _list_name(tool: Tool) -> str:
    """Return the name of the list whose items the write adds or removes; "" if no list tool shows it."""
    reader = tool.facts.get("verify_with")
    return operation_of(reader).items if callable(reader) else ""


def field_rows(
    lines: Iterable[DiffLine], names: Mapping[str, str], *, is_known: bool, readable: Collection[str] | None
) -> list[JsonObject]:
    """Return the rows {field, before, after}, or {field, added, removed} for lists whose items differ.

    Items that are objects are copied to *addedItems* and *removedItems*; null for one that is too large. *names* are
    the names of items by id. The value before is omitted if the state is unknown, or if the field is not *readable*
    (None: all fields are). It is null if the object has no such value.
    """
    rows: list[JsonObject] = []
    rows_by_list: dict[str, JsonObject] = {}
    for line in lines:
        if line.list_path:
            if line.list_path not in rows_by_list:
                rows_by_list[line.list_path] = {"field": line.list_path, "added": [], "removed": []}
                rows.append(rows_by_list[line.list_path])
            kind, item = ("removed", line.before) if line.after is UNKNOWN else ("added", line.after)
            _add_item(rows_by_list[line.list_path], kind, item, names)
            continue
        is_read = is_known and (readable is None or line.path.partition(".")[0] in readable)
        before = [] if is_read and line.before in (None, UNKNOWN) else line.before
        if isinstance(before, list) and isinstance(line.after, list) and before != line.after:
            rows.append(_list_row(line.path, before, line.after, names))
        else:
            known = {} if line.before is UNKNOWN and not is_read else {"before": _former_value(line.before)}
            rows.append({"field": line.path, **known, "after": display_value(line.after)})
    return rows


def _list_row(path: str, before: list[Any], after: list[Any], names: Mapping[str, str]) -> JsonObject:
    """Return the items that were added and removed; both whole lists if their order or repeated items matter."""
    old, new = ([without_defaults(item) for item in items] for items in (before, after))
    added = [item for item, own in zip(after, new, strict=True) if own not in old]
    removed = [item for item, own in zip(before, old, strict=True) if own not in new]
    if are_numbers(before + after) or _has_repeats(old) or _has_repeats(new):
        return {"field": path, "before": _join_items(before, names), "after": _join_items(after, names)}
    if not added and not removed:
        return {"field": path, "before": _join_in_order(before, names), "after": _join_in_order(after, names)}
    row: JsonObject = {"field": path, "added": [], "removed": []}
    for kind, items in (("added", added), ("removed", removed)):
        for item in items:
            _add_item(row, kind, item, names)
    return row


def _has_repeats(items: list[Any]) -> bool:
    return len({value_key(item) for item in items}) < len(items)


def _join_items(items: list[Any], names: Mapping[str, str]) -> str:
    texts = (str(_add_name(item, names)) for item in items)
    return shorten_value(", ".join(texts), MAX_LIST_CHARACTERS) or EMPTY_LIST_TEXT


def _join_in_order(items: list[Any], names: Mapping[str, str]) -> str:
    """Return the order of *items* as text: their names, if all names are different."""
    own = [name_of(item) if isinstance(item, dict) else None for item in items]
    are_unique = None not in own and len({*own}) == len(own)
    return _join_items(own if are_unique else items, names)


def _add_item(row: JsonObject, kind: str, item: Any, names: Mapping[str, str]) -> None:
    """Add the label of an item to a row, and for an object, its copy."""
    row[kind].append(_add_name(item, names))
    if isinstance(item, dict):
        row.setdefault(f"{kind}Items", []).append(limit_item(item))


def limit_items(rows: Iterable[JsonObject]) -> list[JsonObject]:
    """Return the rows with at most MAX_ITEMS items in all lists together, and for each list a count of the others."""
    limited = [dict(row) for row in rows]
    lists = [(row, kind) for row in limited for kind in ("added", "removed") if kind in row]
    left, copies_left = MAX_ITEMS, MAX_COPIES
    # A long list leaves room for the short ones.
    for row, kind in sorted(lists, key=lambda one: len(one[0][one[1]])):
        items, copies = row[kind], row.get(f"{kind}Items", [])
        count = min(left, len(items))
        left -= count
        if count < len(items):
            row[kind] = [*items[:count], f"and {len(items) - count:,} more"]
        if copies:
            copied = copies[:count]
            row[f"{kind}Items"] = copied[:copies_left] + [None] * (len(copied) - copies_left)
            copies_left = max(0, copies_left - count)
    return limited


def _add_name(item: Any, names: Mapping[str, str]) -> Any:
    return shorten_value(names[item]) if isinstance(item, str) and item in names else display_value(item)


def _former_value(value: Any) -> Any:
    return None if value is UNKNOWN else display_value(value)


def display_value(value: Any) -> Any:
    """Return a number, a boolean or null unchanged, and anything else as a short text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return shorten_value(_list_text(value)) if value else EMPTY_LIST_TEXT
    return item_text(value)


def fits_in_text(items: list[Any]) -> bool:
    """Return whether display_value() shows all *items* of a list."""
    return len(items) <= MAX_LINES and not is_shortened(_list_text(items))


def _list_text(items: list[Any]) -> str:
    more = [f"and {len(items) - MAX_LINES:,} more"] if len(items) > MAX_LINES else []
    return ", ".join([*map(item_text, items[:MAX_LINES]), *more])
