"""Access changes: who and what a write adds, removes or changes, line by line, for the user who has to agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...api.markers import Path, leaves
from ...protocol.jsonrpc import JsonObject
from .value_diff import value_lines
from .value_formatting import IDENTITIES, MAX_LINES, details, identity_of, named, shown, shown_entry

EMPTY = {"public": "no access"}
"""What an empty value means, where that is not just "none"."""


def access_lines(
    paths: Iterable[Path], arguments: JsonObject, current: JsonObject | None, *, replaces: bool
) -> list[str]:
    """What *arguments* say at these *paths*, compared with the *current* state where that is known.

    Each path has lines of its own up to the limit, so that a long list cannot push another one out of sight.
    *replaces*: people who are not named lose their access.
    """
    lines: list[str] = []
    for path in paths:
        given = leaves(arguments, path)
        if given:
            before = leaves(current, path) if current is not None else []
            lines += _limited(_lines(path, given, before, replaces))
    return lines


def _lines(path: Path, given: list[Any], before: list[Any], replaces: bool) -> Iterator[tuple[str, str]]:
    """Kind of change and line, for one path."""
    label = ".".join(path)
    if len(given) == 1 and isinstance(given[0], dict):
        old = before[0] if before and isinstance(before[0], dict) else {}
        yield from (("changed", line.text) for line in value_lines(label, given[0], old))
    elif len(given) == 1 and not isinstance(given[0], list):
        yield from _scalar(label, path[-1], given[0], before)
    elif before:
        yield from list(_compared(label, _entries(given), _entries(before))) or [("unchanged", f"{label}: unchanged")]
    else:
        yield from (("added", f"{label}: {shown_entry(entry)}") for entry in _entries(given))
        if replaces:
            yield "removed", f"{label}: anyone not listed here is removed (the current list could not be read)"


def _scalar(label: str, name: str, given: Any, before: list[Any]) -> Iterator[tuple[str, str]]:
    empty = EMPTY.get(name, "none")
    new, *old = [empty if value in (None, "") else value for value in (given, *before[:1])]
    yield "changed", f"{label}: {shown(old[0])} → {shown(new)}" if old and old[0] != new else f"{label}: {shown(new)}"


def _entries(values: list[Any]) -> list[Any]:
    """One list of what is in *values*: lists, single values, or null for an empty list."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if item is not None]


def _compared(label: str, given: list[Any], before: list[Any]) -> Iterator[tuple[str, str]]:
    old = {identity_of(entry): entry for entry in before}
    # A list: somebody who is named twice, perhaps with two roles, is shown twice.
    new = [(identity_of(entry), entry) for entry in given]
    for key, entry in new:
        if key not in old:
            yield "added", f"{label}: add {shown_entry(entry)}"
    for key, entry in new:
        if key in old and isinstance(entry, dict) and isinstance(old[key], dict):
            changed = [name for name, value in entry.items() if old[key].get(name) != value and name not in IDENTITIES]
            if changed:
                was, will = (details({name: one.get(name) for name in changed}) for one in (old[key], entry))
                yield "changed", f"{label}: change {shown(named(entry))}: {was or 'none'} → {will or 'none'}"
    kept = {key for key, _ in new}
    for key, entry in old.items():
        if key not in kept:
            yield "removed", f"{label}: remove {shown_entry(entry)}"


def _limited(lines: Iterable[tuple[str, str]]) -> list[str]:
    """The first lines, and how many of each kind there are besides."""
    found = list(lines)
    rest = [kind for kind, _ in found[MAX_LINES:]]
    counts = ", ".join(f"{rest.count(kind)} {kind}" for kind in dict.fromkeys(rest))
    return [line for _, line in found[:MAX_LINES]] + ([f"and {len(rest)} more: {counts}"] if rest else [])
