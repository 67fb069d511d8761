"""The record of a change: what a write changes, as data that clients show to users before they approve it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .access_changes import access_lines, list_recipient_lines
from .amount_units import with_units
from .change_rows import (
    display_value,
    field_rows,
    fits_in_text,
    item_names,
    limit_items,
    member_arguments,
    member_rows,
    name_of,
)
from .group_members import member_lines, with_member_fields
from .preview import (
    deleted_values,
    identifying_values,
    mention_lines,
    previous_values,
    related_lines,
    with_effective_values,
)
from .reversibility import cannot_be_undone, undo_notes
from .snapshot import Snapshot
from .value_diff import HIDDEN, UNKNOWN, DiffLine, is_unchanged, select_lines, value_lines
from .value_formatting import preview_value, shorten_value

UNCHANGED = "The object has these values already."
OUTSIDE = "recipients or systems outside your DoiT account"


def change_record(
    tool: Tool, arguments: JsonObject, snapshot: Snapshot, readable: Collection[str] | None = None
) -> JsonObject:
    """Return what the write changes: title, object, fields, who is affected, and what cannot be undone.

    *readable* are the fields of the object that its reader shows; None if unknown. All texts are on one line, without
    markup, and shortened.
    """
    current, note, context, customer, link, problem = snapshot
    related = context.related
    arguments, is_known = _visible_arguments(tool, arguments), current is not None
    before = tool.with_argument_names(current or {})
    changed_members = member_lines(tool, arguments, before)
    arguments, before = with_units(tool, with_effective_values(tool, arguments, before), before)
    arguments, before = with_member_fields(tool, arguments, before)
    targets = {name: value for name, value in arguments.items() if tool.deletes or name in tool.targets}
    changes = {name: value for name, value in arguments.items() if name not in targets}
    shown_lines, omitted = _select_rows(_field_lines(tool, arguments, changes, before))
    names = item_names(before, changes)
    rows = field_rows(shown_lines, names, is_known=is_known, readable=readable)
    rows = [_with_shown_member(tool, row, before) for row in rows]
    rows = limit_items(rows + member_rows(tool, arguments, related, context.members))
    affected = access_lines(tool, changes, current, context.domains)
    affected += list_recipient_lines(tool, before) + list(context.dependents) + changed_members
    affected += mention_lines(tool, arguments, context.domains) + related_lines(related)
    unchanged = UNCHANGED if changes and not rows else ""
    undone = undo_notes(tool, is_known=is_known, problem=problem, is_employee=customer != "")
    record = {
        "title": tool.title,
        "customer": customer,
        "object": _object_record(tool, targets, before, related, link),
        "currency": before.get("currency"),
        "fields": rows,
        "affected": affected + ([OUTSIDE] if tool.open_world else []),
        "irreversible": cannot_be_undone(tool, is_known=is_known, problem=problem),
        "notes": [text for text in (tool.facts.get("effect", ""), note, omitted, unchanged, *undone) if text],
    }
    optional = ("customer", "object", "currency", "affected", "notes")
    return {name: value for name, value in record.items() if value or name not in optional}


def _select_rows(lines: Iterable[DiffLine]) -> tuple[list[DiffLine], str]:
    """Return the lines to show, with either all items of a list or none, and a text that counts the omitted rows."""
    all_lines = list(lines)
    items: dict[str, list[DiffLine]] = {}
    for line in all_lines:
        if line.list_path:
            items.setdefault(line.list_path, []).append(line)
    first_lines = [line for line in all_lines if not line.list_path or items[line.list_path][0] is line]
    selected, omitted = select_lines(first_lines)
    return [item for line in selected for item in items.get(line.list_path, [line])], omitted


def _with_shown_member(tool: Tool, row: JsonObject, before: JsonObject) -> JsonObject:
    """Return *row* with the member that is shown instead of its former value."""
    member = tool.facts.get("shown_by", {}).get(row["field"], "")
    if member not in before or "before" in row:
        return row
    return {"field": row["field"], "before": f"{member}: {preview_value(before[member])}", **row}


def _visible_arguments(tool: Tool, arguments: JsonObject) -> JsonObject:
    """Return *arguments* without dryRun, and with a placeholder for each secret."""
    return {
        name: HIDDEN if name in tool.secret_arguments else value
        for name, value in arguments.items()
        if name != "dryRun"
    }


def _field_lines(tool: Tool, arguments: JsonObject, changes: JsonObject, before: JsonObject) -> Iterable[DiffLine]:
    """Yield the lines for the fields that change; for a deletion, those that are deleted."""
    members = member_arguments(tool, arguments)
    if tool.deletes:
        lost = {} if members else identifying_values(arguments, before) | deleted_values(arguments, before)
        for name, value in lost.items():
            if isinstance(value, list) and not fits_in_text(value):
                yield from value_lines(name, [], value)
            else:
                yield DiffLine(name, name, value, None)
        return
    previous = previous_values(changes, before)
    for name, value in changes.items():
        if name not in members and not (name in before and before[name] == value):
            lines = value_lines(name, value, previous.get(name, UNKNOWN))
            yield from (line for line in lines if not is_unchanged(line))


def _object_record(
    tool: Tool, targets: JsonObject, before: JsonObject, related: Mapping[str, JsonObject], link: str
) -> JsonObject:
    """Return what identifies the object: its name before the write and its page, and the arguments that select it."""
    selectors = [name for name in (*reversed(tool.targets), *targets) if isinstance(targets.get(name), str)]
    # The last part of a path identifies the object itself. Names of its container would be misleading.
    own_related = related.get(selectors[0], {}) if selectors else {}
    name = name_of({**own_related, **targets, **before}) or next((targets[name] for name in selectors), None)
    named = {"name": shorten_value(name)} if name else {}
    email = before.get("email")
    if isinstance(email, str) and email and email != name:
        # Users know each other by address, and names of users are not unique.
        named["email"] = shorten_value(email)
    selected = {shorten_value(name): display_value(value) for name, value in targets.items() if name not in named}
    return {**named, **selected, **({"url": link} if link and targets else {})}
