"""Former values: which arguments of an update restore the state before it, and which values cannot be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .group_members import restore_members
from .receipt_verification import READER_FIELD_NAMES

MAX_PATHS = 10
"""Maximum number of names of values that a note lists."""
UNSET_NOTE = "The undo cannot restore {}: no value before the change, and the update cannot clear it."
UNKNOWN_NOTE = "The undo cannot restore {}: no tool shows the value before the change."
NO_VALUE: tuple[Any, ...] = (None, "")


@dataclass(slots=True)
class FormerValues:
    """The *arguments* that restore the state before an update.

    *unset* are the paths of values that did not exist and cannot be cleared, *unknown* those that no tool shows.
    *others* are sentences about other objects.
    """

    arguments: JsonObject = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def notes(self, tool: Tool, id: object) -> Iterator[str]:
        """Yield a sentence for each reason why values are not restored, and what else restores them."""
        for note, paths in ((UNSET_NOTE, self.unset), (UNKNOWN_NOTE, self.unknown)):
            if paths:
                yield note.format(", ".join(paths[:MAX_PATHS]))
        yield from self.others
        elsewhere: Mapping[str, str] = tool.facts.get("restored_elsewhere", {})
        yield from (elsewhere[path].format(id=id) for path in self.unset if path in elsewhere)


def find_former_values(tool: Tool, changes: JsonObject, before: JsonObject) -> FormerValues:
    """Return the values *before* of the arguments that an update changes; of merged ones, of their members that change.

    Values that did not exist are cleared, as far as the update can do that.
    """
    facts, former = tool.facts, FormerValues()
    merges, same_as = facts.get("merges", {}), facts.get("same_as", {})
    for given_name, value in changes.items():
        name = same_as.get(given_name, given_name)
        old = before.get(READER_FIELD_NAMES.get(name, name))
        schema = tool.accepted_schema["properties"][name]
        if name in facts.get("not_shown", ()):
            former.unknown.append(name)
        elif name == facts.get("writes_members") and isinstance(value, list) and isinstance(old, list):
            former.arguments[name], former.others = restore_members(value, old)
        elif name in merges and isinstance(value, dict) and isinstance(old, dict):
            _add_members(former, tool, name, value, old)
        elif old not in NO_VALUE:
            former.arguments[name] = old
        elif (cleared := _find_clearing_value(tool, name, schema, value)) is not None:
            former.arguments[name] = cleared
        elif value is not None:
            former.unset.append(name)
    for name, (computed, _) in facts.get("computed_if", {}).items():
        if changes.get(name) is True and before.get(computed) not in NO_VALUE:
            former.arguments[computed] = before[computed]
    return former


def _add_members(former: FormerValues, tool: Tool, name: str, value: JsonObject, old: JsonObject) -> None:
    """Add the former values of the members of a merged argument, and of those that the API clears with them."""
    schemas = tool.accepted_schema["properties"][name]["properties"]
    same_as = tool.facts.get("same_as", {})
    also_cleared = tool.facts["merges"][name]
    own = {same_as.get(f"{name}.{member}", member) for member in value}
    also_restored = {also for one, also in also_cleared.items() if one in own and old.get(one) not in NO_VALUE}
    restored: JsonObject = {}
    for member in (*own, *(also for one, also in also_cleared.items() if one in value and also not in own)):
        if old.get(member) not in NO_VALUE:
            restored[member] = old[member]
        elif (
            cleared := _find_clearing_value(tool, f"{name}.{member}", schemas[member], value.get(member))
        ) is not None:
            restored[member] = cleared
        elif value.get(member) is not None and member not in also_restored:
            former.unset.append(f"{name}.{member}")
    if restored:
        former.arguments[name] = restored


def _find_clearing_value(tool: Tool, path: str, schema: JsonObject, value: Any) -> Any:
    """Return the value with which the update clears *path*, which *value* sets; None if it cannot be cleared.

    Booleans of the API are false by default.
    """
    declared = tool.facts.get("cleared_by", {})
    if path in declared:
        return declared[path]
    if schema.get("type") == "array" and not schema.get("minItems"):
        return []
    if schema.get("type") == "boolean":
        return False
    members = schema.get("properties", {})
    if isinstance(value, dict) and value and all(members.get(one, {}).get("type") == "boolean" for one in value):
        return dict.fromkeys(value, False)
    is_free_text = schema.get("type") == "string" and not schema.keys() & {"enum", "pattern", "format", "minLength"}
    return "" if is_free_text else None
