"""Undo: the receipt of a write says with which call the former state can be restored, or why none restores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import CUSTOMER_ARGUMENT, Call
from ..tools.declarations import always_asks
from ..tools.series import structured_content, with_structured
from ..tools.tool import ContentResult, Tool, ToolError, ToolResult
from .former_values import find_former_values
from .receipt_verification import as_list, member_key
from .result_comparison import with_unapplied_values
from .reversibility import STATE_UNKNOWN, final_reason, restores_itself
from .secret_results import has_secrets
from .sharing_undo import THEN_KEY, with_sharing
from .snapshot import Snapshot
from .state_reader import StateReader, find_declared_reader, find_named_tool
from .undo_call import partial_undo_call, undo_call
from .write_refusals import check_refusal

UNDO_KEY = "undo"
"""Member of a result with the call that restores the former state: {tool, arguments, note}."""
DELETED_KEY = "deleted"
"""Member of the result of a deletion, false if nothing matched."""
MAX_DEPTH = 12
RENAMING_ARGUMENT = "newName"
"""An argument after which the object can no longer be found by its name."""
CREATES_ANOTHER = "The restored object has a new id and no history, and nothing refers to it."
CREATING_VERB, REMOVING_VERB = "create", "delete"
ASKS = "{} asks for approval first."
UNCHANGED_BEFORE = "Nothing to undo: the list was the same before."


class UndoPlan(Protocol):
    """How to undo calls of one tool."""

    async def read(self, call: Call, arguments: JsonObject, snapshot: Snapshot | None) -> JsonObject | None:
        """Return the state before the write; None if unreadable. *snapshot* is the object if it was just read."""

    def make(self, arguments: JsonObject, before: JsonObject) -> JsonObject:
        """Return the undo call for a write, or a note that says why none restores the state *before*."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Sets former values again: *restoring* is *tool* itself for updates, and the tool that creates for deletions.

    *unsetting* removes what an update sets for the first time.
    """

    tool: Tool
    restoring: Tool
    reader: StateReader
    unsetting: Tool | None = None

    async def read(self, call: Call, arguments: JsonObject, snapshot: Snapshot | None) -> JsonObject | None:
        """Return the object before the write."""
        if snapshot is not None:
            return snapshot.current
        try:
            return await self.reader.read_state(call, arguments)
        except (ApiError, ToolError):
            # The write itself reports what is wrong.
            return None

    def make(self, arguments: JsonObject, before: JsonObject) -> JsonObject:
        """Return the call with the former values."""
        unset_state = self.tool.facts.get("unset_state", {})
        if self.unsetting is not None and unset_state.items() <= before.items():
            return undo_call(self.unsetting, _select_values(arguments, self.unsetting.targets))
        before = self.restoring.with_argument_names(before)
        targets = _select_values(arguments, self.restoring.targets)
        if RENAMING_ARGUMENT in self.restoring.input_schema["properties"]:
            # The object may have been found by its name, which the write changes.
            targets = {"id": before.get("id"), **targets, "name": None}
        creates_another = self.restoring.verb == CREATING_VERB and not self.tool.facts.get("can_be_restored")
        after = self.tool.facts.get("after_restoring", "")
        note = f"{CREATES_ANOTHER} {after}".rstrip() if creates_another else ""
        if self.tool.deletes:
            former = {**before, **targets}
        elif self.tool.facts.get("replaces"):
            former = {**{name: before.get(name) for name in self.tool.accepted_schema["properties"]}, **targets}
            note = after
        else:
            # Arguments that the reader also takes identify the object.
            identifying = {*self.tool.targets, *self.reader.argument_names}
            targets = {**_select_values(arguments, tuple(self.reader.argument_names)), **targets}
            changes = {name: value for name, value in arguments.items() if name not in identifying}
            values = find_former_values(self.tool, changes, before)
            schema = self.restoring.accepted_schema
            fitting, selecting = _fit_to_schema(values.arguments, schema, 0), _fit_to_schema(targets, schema, 0)
            note = " ".join(values.notes(self.tool, arguments.get("id")))
            return partial_undo_call(self.restoring, selecting, fitting, self.tool.facts.get("merges", {}), note)
        undo = undo_call(self.restoring, _fit_to_schema(former, self.restoring.accepted_schema, 0), note)
        return with_sharing(undo, self.tool, before) if self.tool.deletes and "tool" in undo else undo


@dataclass(frozen=True, slots=True)
class MembershipPlan:
    """Removes added items from a list, or adds removed ones back, with *restoring*. *reader* shows the list."""

    tool: Tool
    restoring: Tool
    reader: Tool

    async def read(self, call: Call, arguments: JsonObject, snapshot: Snapshot | None) -> JsonObject | None:
        """Return the rows of the list before the write."""
        try:
            result = await self.reader.run(call, _select_values(arguments, self.reader.input_schema["properties"]))
        except ApiError:
            return None
        return None if isinstance(result, ContentResult) else structured_content(result)

    def make(self, arguments: JsonObject, before: JsonObject) -> JsonObject:
        """Return the call that removes the items that were added, and adds those that were removed."""
        adds, removes = self.tool.facts.get("adds", ""), self.tool.facts.get("removes", "")
        rows_key = self.reader.rows_key or adds or removes
        members = {member_key(row, (adds, removes)) for row in before.get(rows_key, ())}
        changes: JsonObject = {}
        inverse = self.restoring.facts
        for name, inverse_name, was_member in (
            (adds, inverse.get("removes", ""), False),
            (removes, inverse.get("adds", ""), True),
        ):
            given = as_list(arguments.get(name))
            items = [item for item in given if (member_key(item, (adds, removes)) in members) is was_member]
            if items:
                changes[inverse_name] = items if isinstance(arguments[name], list) else items[0]
        if not changes:
            return {"note": UNCHANGED_BEFORE}
        return undo_call(self.restoring, {**_select_values(arguments, self.restoring.targets), **changes})


@dataclass(frozen=True, slots=True)
class ReversalPlan:
    """Reverses an action with another one on the same object, such as a cancellation."""

    restoring: Tool
    note: str = ""

    async def read(self, call: Call, arguments: JsonObject, snapshot: Snapshot | None) -> JsonObject | None:
        """Return nothing: the state before is known from the action."""
        return {}

    def make(self, arguments: JsonObject, before: JsonObject) -> JsonObject:
        """Return the call of the other action."""
        return undo_call(self.restoring, _select_values(arguments, self.restoring.targets), self.note)


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """Removes with *restoring* what a write creates. The state that it needs is the result of the write."""

    restoring: Tool
    note: str = ""

    async def read(self, call: Call, arguments: JsonObject, snapshot: Snapshot | None) -> JsonObject | None:
        """Return nothing: the object does not exist yet."""
        return {}

    def make(self, arguments: JsonObject, before: JsonObject) -> JsonObject:
        """Return the call that removes the object with the arguments and the result *before*; {} if that has no id."""
        *containers, own = self.restoring.targets
        # Some results have the object in a member, such as "user".
        objects = [before, *(member for member in before.values() if isinstance(member, dict))]
        ids = [one.get(own, one.get("id")) for one in objects]
        id = next((id for id in ids if id is not None), None)
        selecting = _select_values({**before, **arguments}, tuple(containers)) | {own: id}
        return {} if id is None else undo_call(self.restoring, selecting, self.note)


def _select_values(values: JsonObject, names: Mapping[str, Any] | tuple[str, ...]) -> JsonObject:
    return {name: value for name, value in values.items() if name in names}


def _fit_to_schema(value: Any, schema: JsonObject, depth: int) -> Any:
    """Return *value* without nulls and members that *schema* rejects, because the API returns more than it accepts."""
    if isinstance(value, dict) and "properties" in schema and depth < MAX_DEPTH:
        known, is_open = schema["properties"], schema.get("additionalProperties") is True
        return {
            name: _fit_to_schema(member, known.get(name, {}), depth + 1)
            for name, member in value.items()
            if (name in known or is_open) and member is not None
        }
    if isinstance(value, dict) and schema.get("type") == "string":
        # References are read as {id, name} and written as ids.
        return value.get("id")
    if isinstance(value, list) and "items" in schema and depth < MAX_DEPTH:
        return [_fit_to_schema(item, schema["items"], depth + 1) for item in value]
    return value


def find_undo(tool: Tool, reader: StateReader | None, tools_by_name: Mapping[str, Tool]) -> UndoPlan | None:
    """Return how to undo calls of *tool*; None if no call restores its object.

    Raises TypeError if its declaration does not name tools that write.
    """
    if tool.facts.get("undone_by") == "nothing" or has_secrets(tool) or tool.secret_arguments:
        return None
    reversing = find_named_tool(tool, "undo_with", tool.facts.get("undo_with"), tools_by_name, writes=True)
    if reversing is not None:
        list_reader = find_declared_reader(tool, "verify_with", tools_by_name)
        if list_reader is not None and tool.facts.keys() & {"adds", "removes"}:
            return MembershipPlan(tool, reversing, list_reader)
        note = tool.facts.get("after_restoring", "")
        return ReversalPlan(reversing, note) if tool.targets else RemovalPlan(reversing, note)
    removing = tools_by_name.get(f"{REMOVING_VERB}_{tool.name.removeprefix(CREATING_VERB + '_')}")
    if tool.verb == CREATING_VERB and removing is not None and removing.deletes:
        return RemovalPlan(removing)
    restoring = find_named_tool(tool, "restore_with", tool.facts.get("restore_with"), tools_by_name, writes=True)
    if restoring is None and restores_itself(tool):
        restoring = tool
    if reader is None or restoring is None or restoring.secret_arguments:
        return None
    unsetting = find_named_tool(tool, "unset_with", tool.facts.get("unset_with"), tools_by_name, writes=True)
    return RestorePlan(tool, restoring, reader, unsetting)


async def run_with_undo(
    call: Call, tool: Tool, plan: UndoPlan | None, arguments: JsonObject, snapshot: Snapshot | None
) -> ToolResult:
    """Run *tool* and return its result, with the undo call of *plan*. *snapshot* is the state if it was just read."""
    if arguments.get("dryRun") is True:
        return await tool.run(call, arguments)
    reason = final_reason(tool, is_employee=call.customer_context is not None)
    if plan is None or reason:
        result = await tool.run(call, arguments)
        is_unchanged = not isinstance(result, ContentResult) and structured_content(result).get(DELETED_KEY) is False
        undo: JsonObject = {"note": reason} if reason and not is_unchanged else {}
    else:
        before = await plan.read(call, arguments, snapshot)
        if snapshot is None and before is not None and isinstance(plan, RestorePlan):
            # A write without a question has not been checked yet.
            check_refusal(tool, arguments, before)
        result = await tool.run(call, arguments)
        if isinstance(plan, RemovalPlan) and not isinstance(result, ContentResult):
            before = structured_content(result)
        undo = {"note": STATE_UNKNOWN} if before is None else plan.make(arguments, before)
    if isinstance(result, ContentResult):
        return result
    if isinstance(plan, RemovalPlan) and "tool" in undo and _asks_user(call, plan.restoring):
        undo["note"] = f"{undo.get('note', '')} {ASKS.format(undo['tool'])}".lstrip()
    compared = with_unapplied_values(tool, arguments, structured_content(result))
    return with_structured(result, {**compared, UNDO_KEY: _add_customer(call, undo)} if undo else compared)


def _asks_user(call: Call, tool: Tool) -> bool:
    policy = call.approvals.policy
    return policy == "always" or (policy != "never" and always_asks(tool.facts))


def _add_customer(call: Call, undo: JsonObject) -> JsonObject:
    """Return *undo* with the customer that an employee acts for: another call may act for another customer."""
    customer = call.doit.tenant if call.customer_context is not None else ""
    if not customer:
        return undo
    note = f"{undo.get('note', '')} Calls about this need {CUSTOMER_ARGUMENT} {customer}.".lstrip()
    complete = {"arguments": {**undo["arguments"], CUSTOMER_ARGUMENT: customer}} if "arguments" in undo else {}
    if then := undo.get(THEN_KEY):
        complete[THEN_KEY] = {**then, "arguments": {**then["arguments"], CUSTOMER_ARGUMENT: customer}}
    return {**undo, **complete, **({"note": note} if "note" in undo else {})}
