"""Group members: other objects that a write creates or changes as items of one of its arguments.

Each item is {action, id, ...}: "create" makes another object, "update" changes one wherever it is used, and "select"
leaves it unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .value_formatting import preview_value

ACTION, CREATE, UPDATE, SELECT = "action", "create", "update", "select"
MAX_SHOWN = 50
"""Maximum number of members that are named. The others are counted."""
EMPTIED: Mapping[str, Any] = {"description": "", "validityPeriods": []}
"""The values with which an update of a member removes a value that did not exist before."""
CHANGED = "{} changed wherever it is used: {}"
NOT_RESTORED = "The undo does not restore {}, which {} not in the group before: read {} before the change."
CREATED = "What the update creates remains after the undo: {}."
NOT_CLEARED = "The undo cannot remove {} of {}."


def member_lines(tool: Tool, arguments: JsonObject, before: JsonObject) -> list[str]:
    """Return the lines that name the other objects which the write changes."""
    argument = tool.facts.get("writes_members", "")
    old = _index_by_id(before.get(argument))
    kind = tool.area.removesuffix("s")
    lines = [
        CHANGED.format(kind, _member_label(one, old))
        for one in _read_members(arguments, argument)
        if one[ACTION] == UPDATE
    ]
    omitted = len(lines) - MAX_SHOWN
    return lines[:MAX_SHOWN] + ([f"and {omitted:,} more"] if omitted > 0 else [])


def with_member_fields(tool: Tool, arguments: JsonObject, before: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return both with the members' names instead of their list, and a field for each created or changed member."""
    argument = tool.facts.get("writes_members", "")
    if not (given := _read_members(arguments, argument)):
        return arguments, before
    old = _index_by_id(before.get(argument))
    fields: JsonObject = {argument: [_member_label(one, old) for one in given]}
    former: JsonObject = {argument: [_member_label(one, old) for one in old.values()]} if argument in before else {}
    for one in given:
        if one[ACTION] != SELECT:
            name = f"{argument}: {_member_label(one, old)}"
            fields[name] = {member: value for member, value in one.items() if member not in (ACTION, "id")}
            if one.get("id") in old:
                former[name] = old[one["id"]]
    return {**arguments, **fields}, {**before, **former}


def restore_members(given: list[JsonObject], old: list[JsonObject]) -> tuple[list[JsonObject], list[str]]:
    """Return the items that restore the members *old*, and sentences about what they do not restore."""
    by_id = _index_by_id(old)
    changed = {one.get("id"): one for one in given if one[ACTION] == UPDATE}
    restored: list[JsonObject] = []
    notes: list[str] = []
    for id, one in by_id.items():
        if id not in changed:
            restored.append({ACTION: SELECT, "id": id})
            continue
        missing = {name for name in changed[id].keys() - {ACTION} if one.get(name) in (None, "", [])}
        if kept := sorted(missing - EMPTIED.keys()):
            notes.append(NOT_CLEARED.format(", ".join(kept), _member_label(one, by_id)))
        emptied = {name: EMPTIED[name] for name in missing & EMPTIED.keys()}
        restored.append({**one, **emptied, ACTION: UPDATE})
    outside = [_member_label(one, by_id) for id, one in changed.items() if id not in by_id]
    if outside:
        verb, them = ("was", "it") if len(outside) == 1 else ("were", "them")
        notes.append(NOT_RESTORED.format(_join_labels(outside), verb, them))
    if created := [_member_label(one, by_id) for one in given if one[ACTION] == CREATE]:
        notes.append(CREATED.format(_join_labels(created)))
    return restored, notes


def _join_labels(labels: list[str]) -> str:
    more = [f"and {len(labels) - MAX_SHOWN:,} more"] if len(labels) > MAX_SHOWN else []
    return ", ".join([*labels[:MAX_SHOWN], *more])


def _read_members(values: JsonObject, argument: str) -> list[JsonObject]:
    found = values.get(argument)
    return [one for one in found if ACTION in one] if isinstance(found, list) else []


def _index_by_id(members: Any) -> dict[str, JsonObject]:
    items = members if isinstance(members, list) else []
    return {one["id"]: one for one in items if isinstance(one, dict) and isinstance(one.get("id"), str)}


def _member_label(one: JsonObject, old: Mapping[str, JsonObject]) -> str:
    """Return the name and the id by which users know a member: the former name of one that is renamed."""
    id = one.get("id")
    name = old.get(id or "", one).get("name")
    if id is None or one.get(ACTION) == CREATE:
        return f"{preview_value(name or '')} (new)"
    return f"{preview_value(name)} (id {preview_value(id)})" if name else f"id {preview_value(id)}"
