"""Access changes: the users, addresses and permissions that a write adds, removes or changes, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ...api.markers import ArgumentPath, values_at
from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .value_diff import value_lines
from .value_formatting import (
    IDENTITY_FIELDS,
    MAX_LINES,
    entry_details,
    entry_identity,
    entry_name,
    preview_entry,
    preview_value,
)

EMPTY_VALUE_TEXTS = {"public": "no access"}
"""Texts for empty values, by member name. Default: "none"."""

REACHING_FIELDS = ("email", "recipients", "recipientsSlackChannels", "collaborators")
"""Fields of an object with the users and channels that it reaches."""
ENDING_VERBS = frozenset(("cancel", "resend"))
"""Verbs, besides those that delete, of writes that affect whom their object reaches."""


def reached_lines(tool: Tool, current: JsonObject) -> list[str]:
    """Return the lines for the users, addresses and channels that the object of a deletion or an invitation reaches."""
    if not tool.deletes and tool.verb not in ENDING_VERBS:
        return []
    lines: list[str] = []
    for name in REACHING_FIELDS:
        entries = _flatten_entries([current.get(name)])
        lines += _limit_lines(("affected", f"{name}: {preview_entry(entry)}") for entry in entries)
    return lines


def access_lines(
    paths: Iterable[ArgumentPath], arguments: JsonObject, current: JsonObject | None, *, replaces_all: bool
) -> list[str]:
    """Return the lines for the values of *arguments* at these *paths*, compared with the *current* state if it is known.

    The limit applies to each path, so that a long list cannot hide another one. *replaces_all* means that users who are
    not listed lose their access.
    """
    lines: list[str] = []
    for path in paths:
        new_values = values_at(arguments, path)
        if new_values:
            old_values = values_at(current, path) if current is not None else []
            lines += _limit_lines(_path_lines(path, new_values, old_values, replaces_all))
    return lines


def _path_lines(
    path: ArgumentPath, new_values: list[Any], old_values: list[Any], replaces_all: bool
) -> Iterator[tuple[str, str]]:
    """Yield the kind of change and the text of each line for one path."""
    label = ".".join(path)
    if len(new_values) == 1 and isinstance(new_values[0], dict):
        old_value = old_values[0] if old_values and isinstance(old_values[0], dict) else {}
        yield from (("changed", line.text) for line in value_lines(label, new_values[0], old_value))
    elif len(new_values) == 1 and not isinstance(new_values[0], list):
        yield from _scalar_lines(label, path[-1], new_values[0], old_values)
    elif old_values:
        yield from list(_comparison_lines(label, _flatten_entries(new_values), _flatten_entries(old_values))) or [
            ("unchanged", f"{label}: unchanged")
        ]
    else:
        yield from (("added", f"{label}: {preview_entry(entry)}") for entry in _flatten_entries(new_values))
        if replaces_all:
            yield "removed", f"{label}: anyone not listed here is removed (the current list could not be read)"


def _scalar_lines(label: str, name: str, new_value: Any, old_values: list[Any]) -> Iterator[tuple[str, str]]:
    empty_text = EMPTY_VALUE_TEXTS.get(name, "none")
    new, *old = [empty_text if value in (None, "") else value for value in (new_value, *old_values[:1])]
    yield (
        "changed",
        f"{label}: {preview_value(old[0])} → {preview_value(new)}"
        if old and old[0] != new
        else f"{label}: {preview_value(new)}",
    )


def _flatten_entries(values: list[Any]) -> list[Any]:
    """Return the entries of *values* (lists, single values, or null for an empty list) as one list."""
    entries = [entry for value in values for entry in (value if isinstance(value, list) else [value])]
    return [entry for entry in entries if entry is not None]


def _comparison_lines(label: str, new_entries: list[Any], old_entries: list[Any]) -> Iterator[tuple[str, str]]:
    old = {entry_identity(entry): entry for entry in old_entries}
    # A list, so that a user who is listed twice, perhaps with two roles, is shown twice.
    new = [(entry_identity(entry), entry) for entry in new_entries]
    for key, entry in new:
        if key not in old:
            yield "added", f"{label}: add {preview_entry(entry)}"
    for key, entry in new:
        if key in old and isinstance(entry, dict) and isinstance(old[key], dict):
            changed = [
                name for name, value in entry.items() if old[key].get(name) != value and name not in IDENTITY_FIELDS
            ]
            if changed:
                old_details, new_details = (
                    entry_details({name: version.get(name) for name in changed}) for version in (old[key], entry)
                )
                yield (
                    "changed",
                    f"{label}: change {preview_value(entry_name(entry))}:"
                    f" {old_details or 'none'} → {new_details or 'none'}",
                )
    new_keys = {key for key, _ in new}
    for key, entry in old.items():
        if key not in new_keys:
            yield "removed", f"{label}: remove {preview_entry(entry)}"


def _limit_lines(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Return the texts of the first lines, and a count of the others by kind of change."""
    all_lines = list(lines)
    omitted = Counter(kind for kind, _ in all_lines[MAX_LINES:])
    counts = ", ".join(f"{count} {kind}" for kind, count in omitted.items())
    texts = [text for _, text in all_lines[:MAX_LINES]]
    return texts + ([f"and {omitted.total()} more: {counts}"] if omitted else [])
