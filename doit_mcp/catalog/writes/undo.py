"""Undo: the receipt of an update or deletion says with which call the former state can be restored."""

from __future__ import annotations

from collections.abc import Mapping
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
RENAMING_ARGUMENT = "newName"
"""An argument after which the object can no longer be found by the arguments of the write."""
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
        former = before
        if not self.tool.deletes:
            targets = {name: value for name, value in arguments.items() if name in self.tool.targets}
            changed = {
                name: before.get(READER_FIELD_NAMES.get(name, name)) for name in arguments if name not in targets
            }
            unset = [name for name, value in changed.items() if _sets_new_member(arguments[name], value)]
            if unset:
                return {"note": UNSET_BEFORE.format(", ".join(unset))}
            former = {**targets, **changed}
        restored: JsonObject = _fit(former, self.restoring.accepted_schema, 0)
        if self.restoring.argument_problems(restored) or len(orjson.dumps(restored)) > MAX_UNDO_BYTES:
            return None
        note = {"note": CREATES_ANOTHER} if self.tool.deletes else {}
        return {"tool": self.restoring.name, "arguments": restored, **note}


def _sets_new_member(value: Any, former: Any) -> bool:
    """Return whether *value*, or a member of it, had no value in the *former* state. Updates cannot remove it again."""
    if isinstance(value, dict) and isinstance(former, dict):
        return any(_sets_new_member(member, former.get(name)) for name, member in value.items())
    return former is None and value is not None


def _fit(value: Any, schema: JsonObject, depth: int) -> Any:
    """Return *value* with only the members that *schema* declares, without nulls: the API returns more than it accepts."""
    if isinstance(value, dict) and "properties" in schema and depth < MAX_DEPTH:
        known = schema["properties"]
        return {
            name: _fit(member, known[name], depth + 1)
            for name, member in value.items()
            if name in known and member is not None
        }
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
    if tool.verb == "update" and tool.targets and not name and RENAMING_ARGUMENT not in tool.input_schema["properties"]:
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
    if plan is None or arguments.get("dryRun") is True:
        return await tool.run(call, arguments)
    state = await plan.read(call, arguments) if snapshot is None else snapshot.current
    undo = None if state is None else plan.make(arguments, state)
    result = await tool.run(call, arguments)
    if undo is None or isinstance(result, ContentResult):
        return result
    return with_structured(result, {**structured_of(result), UNDO_KEY: undo})
