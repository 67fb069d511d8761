"""The undo call: a call with former values, as far as its tool accepts them and they fit in a result."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .value_diff import mask_secrets
from .value_formatting import preview_value

MAX_UNDO_BYTES = 16 << 10
"""Maximum size of the arguments of that call as JSON. Larger former states are not returned."""
MAX_NAMED_VALUES = 5
"""Maximum number of values that a note shows. The others are only named."""
TOO_LARGE = "The former state is too large for an undo call."
NOT_ACCEPTED = "No call can restore the former state: {} accepts no such values{}."
REFUSED_NOTE = "The undo cannot restore {}: {} does not accept the former value."
LARGE_NOTE = "The undo cannot restore {}: the former value is too large for an undo call."
Path = tuple[str, ...]


def undo_call(tool: Tool, arguments: JsonObject, note: str = "") -> JsonObject:
    """Return a call of *tool* with a note, or only the reason if it cannot exist: it restores everything or nothing.

    Values that the tool refuses are left out if they are empty or zero, because omitting them means the same.
    """
    refused = _find_refused_paths(tool, arguments, ())
    arguments = _remove_paths(arguments, [path for path in refused if not _get_value(arguments, path)])
    if tool.argument_problems(arguments):
        names = ", ".join(path[-1] for path in refused if path[0] in arguments)
        return {"note": NOT_ACCEPTED.format(tool.name, f": {names}" if names else "")}
    if _json_size(arguments) > MAX_UNDO_BYTES:
        return {"note": TOO_LARGE}
    return _with_note({"tool": tool.name, "arguments": arguments}, note)


def partial_undo_call(
    tool: Tool, targets: JsonObject, values: JsonObject, merged: Collection[str], note: str = ""
) -> JsonObject:
    """Return a call of *tool* that sets the former *values* that it accepts and that fit in a result.

    The note names the others. *merged* are arguments whose members are set one by one.
    """
    refused = _find_refused_paths(tool, values, merged)
    kept = _remove_paths(values, refused)
    large: list[Path] = []
    while _json_size({**targets, **kept}) > MAX_UNDO_BYTES and (paths := list(_list_paths(kept, merged))):
        largest = max(paths, key=lambda path: _json_size(_get_value(kept, path)))
        large.append(largest)
        kept = _remove_paths(kept, [largest])
    notes = [REFUSED_NOTE.format(_list_former_values(values, refused), tool.name)] if refused else []
    notes += [LARGE_NOTE.format(_list_former_values(values, large))] if large else []
    note = " ".join(text for text in (*notes, note) if text)
    if not kept:
        return {"note": note}
    if tool.argument_problems({**targets, **kept}):
        return _with_note({}, f"{NOT_ACCEPTED.format(tool.name, '')} {note}".strip())
    return _with_note({"tool": tool.name, "arguments": {**targets, **kept}}, note)


def _with_note(undo: JsonObject, note: str) -> JsonObject:
    return {**undo, "note": note} if note else undo


def _list_paths(values: JsonObject, merged: Collection[str]) -> Iterator[Path]:
    """Yield the paths of the values that can be left out alone."""
    for name, value in values.items():
        if name in merged and isinstance(value, dict):
            yield from ((name, member) for member in value)
        else:
            yield (name,)


def _find_refused_paths(tool: Tool, values: JsonObject, merged: Collection[str]) -> list[Path]:
    """Return the paths of the values that *tool* refuses by themselves."""
    if not tool.argument_problems(values):
        return []
    refused = []
    for path in _list_paths(values, merged):
        alone = _get_value(values, path)
        without: JsonObject = {} if len(path) == 1 else {path[0]: {}}
        for name in reversed(path):
            alone = {name: alone}
        # Arguments that are required are missing with and without the value.
        if set(tool.argument_problems(alone)) - set(tool.argument_problems(without)):
            refused.append(path)
    return refused


def _get_value(values: JsonObject, path: Path) -> Any:
    value: Any = values
    for name in path:
        value = value[name]
    return value


def _remove_paths(values: JsonObject, paths: Collection[Path]) -> JsonObject:
    """Return *values* without those at *paths*, and without arguments that have no members left."""
    kept: JsonObject = {}
    for name, value in values.items():
        members = [path[1] for path in paths if path[0] == name and len(path) > 1]
        if (name,) in paths:
            continue
        if members:
            value = {member: own for member, own in value.items() if member not in members}
            if not value:
                continue
        kept[name] = value
    return kept


def _json_size(value: Any) -> int:
    return len(orjson.dumps(value))


def _list_former_values(values: JsonObject, paths: list[Path]) -> str:
    """Return the paths with their former values, shortened."""
    shown = [f"{'.'.join(path)} ({_show_former_value(values, path)})" for path in paths[:MAX_NAMED_VALUES]]
    return ", ".join((*shown, *(".".join(path) for path in paths[MAX_NAMED_VALUES:])))


def _show_former_value(values: JsonObject, path: Path) -> str:
    return preview_value(mask_secrets(_get_value(values, path), path[-1]))
