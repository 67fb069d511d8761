"""The record of a change: what a write changes, as data that clients show to users before they approve it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .access_changes import access_lines
from .preview import (
    HIDDEN,
    NO_OBJECTS,
    identifying_values,
    mention_lines,
    previous_values,
    related_lines,
)
from .value_diff import UNKNOWN, DiffLine, select_lines, value_lines
from .value_formatting import preview_value, shorten

OUTSIDE = "recipients or systems outside your DoiT account"
NAME_FIELDS = ("name", "displayName", "title", "subject", "email", "accountName", "description", "content")
"""Fields that name an object to users, best first."""


def change_record(
    tool: Tool,
    arguments: JsonObject,
    current: JsonObject | None,
    *,
    customer: str = "",
    note: str = "",
    related: Mapping[str, JsonObject] = NO_OBJECTS,
    link: str = "",
) -> JsonObject:
    """Return what the write changes: title, object, fields, who is affected, and what cannot be undone.

    *current* is the object before, None if unknown, and *note* says why it is. *customer* is "" for the user's own.
    *link* is the page of the object in the console. All texts are on one line, without markup, and shortened.
    """
    arguments = {name: HIDDEN if name in tool.secret_arguments else value for name, value in arguments.items()}
    before = tool.with_argument_names(current or {})
    targets = {name: value for name, value in arguments.items() if tool.deletes or name in tool.targets}
    changes = {name: value for name, value in arguments.items() if name not in targets and name != "dryRun"}
    identity = identifying_values(arguments, before)
    if tool.deletes:
        lines: Iterable[DiffLine] = (DiffLine(name, name, value, None) for name, value in identity.items())
    else:
        previous = previous_values(changes, before)
        lines = (
            line for name, value in changes.items() for line in value_lines(name, value, previous.get(name, UNKNOWN))
        )
    shown, omitted = select_lines(lines)
    affected = access_lines(tool.external_target_paths, changes, current, replaces_all=tool.verb == "update")
    affected += mention_lines(tool, arguments) + related_lines(related)
    record = {
        "title": tool.title,
        "customer": customer,
        "object": _object_record(tool, targets, before, related, link),
        "fields": _field_rows(shown, is_known=current is not None),
        "affected": affected + ([OUTSIDE] if tool.open_world else []),
        "irreversible": tool.deletes and not tool.facts.get("can_be_restored", False),
        "notes": [text for text in (tool.facts.get("effect", ""), note, omitted) if text],
    }
    optional = ("customer", "object", "affected", "notes")
    return {name: value for name, value in record.items() if value or name not in optional}


def _object_record(
    tool: Tool, targets: JsonObject, before: JsonObject, related: Mapping[str, JsonObject], link: str
) -> JsonObject:
    """Return what identifies the object: its name before the write and its page, and the arguments that select it."""
    selectors = [name for name in (*reversed(tool.targets), *targets) if isinstance(targets.get(name), str)]
    # The last part of a path identifies the object itself. Names of its container would be misleading.
    own_related = related.get(selectors[0], {}) if selectors else {}
    name = _name_of({**own_related, **targets, **before}) or next((targets[name] for name in selectors), None)
    named = {"name": shorten(name)} if name else {}
    selected = {shorten(name): _shown(value) for name, value in targets.items() if name not in named}
    return {**named, **selected, **({"url": link} if link and targets else {})}


def _name_of(values: JsonObject) -> str | None:
    return next((values[name] for name in NAME_FIELDS if isinstance(values.get(name), str) and values[name]), None)


def _field_rows(lines: Iterable[DiffLine], *, is_known: bool) -> list[JsonObject]:
    """Return the rows {field, before, after}, or {field, added, removed} for lists whose items differ.

    The value before is left out if the state is unknown, and null if the object has no such value.
    """
    rows: list[JsonObject] = []
    rows_by_list: dict[str, JsonObject] = {}
    for line in lines:
        if line.list_path:
            if line.list_path not in rows_by_list:
                rows_by_list[line.list_path] = {"field": line.list_path, "added": [], "removed": []}
                rows.append(rows_by_list[line.list_path])
            removed = line.after is UNKNOWN
            rows_by_list[line.list_path]["removed" if removed else "added"].append(
                _shown(line.before if removed else line.after)
            )
        elif isinstance(line.before, list) and isinstance(line.after, list) and line.before != line.after:
            rows.append(_list_row(line.path, line.before, line.after))
        else:
            known = {} if line.before is UNKNOWN and not is_known else {"before": _before(line.before)}
            rows.append({"field": line.path, **known, "after": _shown(line.after)})
    return rows


def _list_row(path: str, before: list[Any], after: list[Any]) -> JsonObject:
    added, removed = [item for item in after if item not in before], [item for item in before if item not in after]
    if not added and not removed:
        return {"field": path, "before": _shown(before), "after": _shown(after)}
    return {"field": path, "added": list(map(_shown, added)), "removed": list(map(_shown, removed))}


def _before(value: Any) -> Any:
    return None if value is UNKNOWN else _shown(value)


def _shown(value: Any) -> Any:
    """Return a number, a truth value or null unchanged, and anything else as a short text."""
    return value if value is None or isinstance(value, bool | int | float) else preview_value(value)
