"""Access changes: the users, addresses and permissions that a write adds, removes or changes, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...api.markers import ArgumentPath, values_at
from ...protocol.jsonrpc import JsonObject
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
"""What an empty value means, if not just "none"."""


def access_lines(
    paths: Iterable[ArgumentPath], arguments: JsonObject, current: JsonObject | None, *, replaces_all: bool
) -> list[str]:
    """Return the lines for what *arguments* set at these *paths*, compared with the *current* state if it is known.

    Each path has lines of its own up to the limit, so that a long list cannot push another one out of sight.
    *replaces_all*: users who are not named lose their access.
    """
    lines: list[str] = []
    for path in paths:
        given = values_at(arguments, path)
        if given:
            before = values_at(current, path) if current is not None else []
            lines += _limit_lines(_path_lines(path, given, before, replaces_all))
    return lines


def _path_lines(
    path: ArgumentPath, new_values: list[Any], old_values: list[Any], replaces_all: bool
) -> Iterator[tuple[str, str]]:
    """Yield the kind of change and the line, for one path."""
    label = ".".join(path)
    if len(new_values) == 1 and isinstance(new_values[0], dict):
        old = old_values[0] if old_values and isinstance(old_values[0], dict) else {}
        yield from (("changed", line.text) for line in value_lines(label, new_values[0], old))
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
    empty = EMPTY_VALUE_TEXTS.get(name, "none")
    new, *old = [empty if value in (None, "") else value for value in (new_value, *old_values[:1])]
    yield (
        "changed",
        f"{label}: {preview_value(old[0])} → {preview_value(new)}"
        if old and old[0] != new
        else f"{label}: {preview_value(new)}",
    )


def _flatten_entries(values: list[Any]) -> list[Any]:
    """Return the entries of *values* (lists, single values, or null for an empty list) as one list."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if item is not None]


def _comparison_lines(label: str, new_entries: list[Any], old_entries: list[Any]) -> Iterator[tuple[str, str]]:
    old = {entry_identity(entry): entry for entry in old_entries}
    # A list, because a user who is named twice, perhaps with two roles, is shown twice.
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
                was, will = (entry_details({name: one.get(name) for name in changed}) for one in (old[key], entry))
                yield (
                    "changed",
                    f"{label}: change {preview_value(entry_name(entry))}: {was or 'none'} → {will or 'none'}",
                )
    kept = {key for key, _ in new}
    for key, entry in old.items():
        if key not in kept:
            yield "removed", f"{label}: remove {preview_entry(entry)}"


def _limit_lines(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Return the first lines, and a count of each kind of the others."""
    found = list(lines)
    rest = [kind for kind, _ in found[MAX_LINES:]]
    counts = ", ".join(f"{rest.count(kind)} {kind}" for kind in dict.fromkeys(rest))
    return [line for _, line in found[:MAX_LINES]] + ([f"and {len(rest)} more: {counts}"] if rest else [])
