"""Undo: the receipt of an update or deletion says with which call the former state can be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.declarations import reader_name
from ..tools.series import structured_of, with_structured
from ..tools.tool import ContentResult, Tool, ToolError, ToolResult
from .receipt_verification import READER_FIELD_NAMES
from .secret_results import has_secrets
from .snapshot import Snapshot
from .state_reader import StateReader

UNDO_KEY = "undo"
"""Member of a result with the call that restores the former state: {tool, arguments, note}."""
MAX_UNDO_BYTES = 16 << 10
"""Size of the arguments of that call as JSON. Larger former states are not returned."""
MAX_DEPTH = 12
MAX_UNSET = 10
"""Names of unset members that a note lists."""
RENAMING_ARGUMENT = "newName"
"""An argument after which the object can no longer be found by its name."""
CREATES_ANOTHER = "The restored object has a new id and no history, and nothing refers to it."
UNSET_BEFORE = "The former state cannot be restored: {} had no value."


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """How to undo calls of *tool*: *restoring* is itself for updates, and the tool that creates for deletions."""

    tool: Tool
    restoring: Tool
    reader: StateReader

    async def read(self, call: Call, arguments: JsonObject) -> JsonObject | None:
        """Return the state before the write; None if it cannot be read. The write itself reports what is wrong."""
        try:
            return await self.reader.read_state(call, arguments)
        except (ApiError, ToolError):
            return None

    def make(self, arguments: JsonObject, current: JsonObject) -> JsonObject | None:
        """Return the undo call for a write with these *arguments*; None if it would not restore the state."""
        before = self.restoring.with_argument_names(current)
        targets = {name: value for name, value in arguments.items() if name in self.restoring.targets}
        if RENAMING_ARGUMENT in self.restoring.input_schema["properties"]:
            # The object may have been found by its name, which changes.
            targets = {"id": current.get("id"), **targets, "name": None}
        if self.tool.deletes:
            former = {**before, **targets}
        elif self.tool.facts.get("replaces"):
            former = {**{name: before.get(name) for name in self.tool.accepted_schema["properties"]}, **targets}
        else:
            changed = self._former_values({name: arguments[name] for name in arguments if name not in targets}, before)
            unset = [path for name in changed for path in _new_members(name, arguments[name], changed[name])]
            if unset:
                return {"note": UNSET_BEFORE.format(", ".join(unset[:MAX_UNSET]))}
            former = {**targets, **changed}
        restored: JsonObject = _fit(former, self.restoring.accepted_schema, 0)
        if self.restoring.argument_problems(restored) or len(orjson.dumps(restored)) > MAX_UNDO_BYTES:
            return None
        note = {"note": CREATES_ANOTHER} if self.restoring.verb == "create" else {}
        return {"tool": self.restoring.name, "arguments": restored, **note}

    def _former_values(self, changes: JsonObject, before: JsonObject) -> JsonObject:
        """Return the values *before* of the arguments that change; of merged ones, only the members that change."""
        merges, cleared_by = self.tool.facts.get("merges", {}), self.tool.facts.get("cleared_by", {})
        former: JsonObject = {}
        for name, value in changes.items():
            former[name] = before.get(READER_FIELD_NAMES.get(name, name))
            if former[name] in (None, "") and name in cleared_by:
                former[name] = cleared_by[name]
            elif name in merges and isinstance(value, dict) and isinstance(former[name], dict):
                members = {*value, *(also for member, also in merges[name].items() if member in value)}
                cleared = {member: cleared_by.get(f"{name}.{member}") for member in value}
                old_values = {**cleared, **former[name]}
                former[name] = {member: old_values.get(member) for member in members}
        return former


def _new_members(path: str, value: Any, former: Any, depth: int = 0) -> Iterator[str]:
    """Yield the paths in *value* that had no value in the *former* state. Updates cannot remove them again."""
    if isinstance(value, dict) and isinstance(former, dict) and depth < MAX_DEPTH:
        for name, member in value.items():
            yield from _new_members(f"{path}.{name}", member, former.get(name), depth + 1)
    elif former is None and value is not None:
        yield path


def _fit(value: Any, schema: JsonObject, depth: int) -> Any:
    """Return *value* with only the members that *schema* accepts, without nulls: the API returns more than it accepts."""
    if isinstance(value, dict) and "properties" in schema and depth < MAX_DEPTH:
        known, is_open = schema["properties"], schema.get("additionalProperties") is True
        return {
            name: _fit(member, known.get(name, {}), depth + 1)
            for name, member in value.items()
            if (name in known or is_open) and member is not None
        }
    if isinstance(value, dict) and schema.get("type") == "string":
        # References are read as {id, name} and written as ids.
        return value.get("id")
    if isinstance(value, list) and "items" in schema and depth < MAX_DEPTH:
        return [_fit(item, schema["items"], depth + 1) for item in value]
    return value


def find_undo(tool: Tool, reader: StateReader | None, tools_by_name: Mapping[str, Tool]) -> UndoPlan | None:
    """Return how to undo calls of *tool*; None if no call restores its object.

    Raises TypeError if its declaration does not name a tool that creates.
    """
    name = reader_name(tool.facts.get("restore_with"))
    restoring = tools_by_name.get(name)
    if name and (restoring is None or not restoring.writes):
        raise TypeError(f"{tool.declared_in}: {tool.name} has restore_with={name}, which is not a tool that writes")
    if not name and (tool.verb == "set" or (tool.verb == "update" and tool.targets)):
        restoring = tool
    if tool.facts.get("undone_by") == "nothing" or reader is None or restoring is None:
        return None
    if has_secrets(tool) or tool.secret_arguments | restoring.secret_arguments:
        return None
    return UndoPlan(tool, restoring, reader)


async def run_with_undo(
    call: Call, tool: Tool, plan: UndoPlan | None, arguments: JsonObject, snapshot: Snapshot | None
) -> ToolResult:
    """Run *tool* and return its result, with the undo call of *plan*. *snapshot* is the state if it was just read."""
    if arguments.get("dryRun") is True:
        return await tool.run(call, arguments)
    undo: JsonObject | None = {"note": tool.facts["no_undo"]} if "no_undo" in tool.facts else None
    if plan is not None and undo is None:
        state = await plan.read(call, arguments) if snapshot is None else snapshot.current
        undo = None if state is None else plan.make(arguments, state)
    result = await tool.run(call, arguments)
    if undo is None or isinstance(result, ContentResult):
        return result
    return with_structured(result, {**structured_of(result), UNDO_KEY: undo})
