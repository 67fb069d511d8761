"""Verifies receipts: checks with the API that a write still holds before a repeat gets its receipt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...api.errors import ApiError
from ...api.markers import EMPTY_VALUES
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.series import structured_content
from ..tools.tool import ContentResult, Tool, ToolError
from .state_reader import StateReader, find_declared_reader, reader_names

STATUS_FIELD = "status"
READER_FIELD_NAMES: Mapping[str, str] = {"jobFunction": "jobTitle", "newName": "name"}
"""The names that readers have for fields, by their names in the write, if they differ."""


class Verifier(Protocol):
    """Checks with the API whether an earlier write still holds."""

    async def still_holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Return whether the write with these arguments, which returned *result*, still holds; True if unknown.

        Raises ApiError if the credential is no longer accepted.
        """


@dataclass(frozen=True, slots=True)
class ObjectVerifier:
    """Reads the object that a write of *tool* was about."""

    tool: Tool
    reader: StateReader

    async def still_holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Return whether a deleted object is still missing, or any other object still has the values of the write."""
        reader_arguments = self._reader_arguments(arguments, result)
        if reader_arguments is None:
            return True
        try:
            current = await self.reader.read_state(call, reader_arguments)
        except ApiError as error:
            if error.kind == "credential":
                raise
            return error.kind != "missing" or self.tool.deletes
        except ToolError:
            return True
        if current is None:
            return True
        if self.tool.facts.get("preview_with") is None:
            # The write created the object. If it was renamed, the name in the arguments is available again.
            return not _differs({"name": arguments.get("name"), **_select_members(result, ("name",))}, current)
        return not self.tool.deletes and not self._has_changed(current, arguments, result)

    def _reader_arguments(self, arguments: JsonObject, result: JsonObject) -> JsonObject | None:
        """Return *arguments* plus those that the reader requires; None if neither they nor the result have them all."""
        schema = self.reader.tool.input_schema
        required = schema.get("required", ("id",) if "id" in schema["properties"] else ())
        values = {name.lower(): value for name, value in {**arguments, **result}.items()}
        required_values = {name: values[name.lower()] for name in required if values.get(name.lower()) is not None}
        return {**arguments, **required_values} if len(required_values) == len(required) else None

    def _has_changed(self, current: JsonObject, arguments: JsonObject, result: JsonObject) -> bool:
        """Return whether a field that was set has another value now.

        Values in the result replace those of the arguments, because the API may store them in another form. If in
        doubt, an idempotent write is repeated, for example if the reader does not show a field.
        """
        current, result = map(self.tool.with_argument_names, (current, result))
        targets, sets_status = set(self.tool.targets), self.tool.facts.get("sets_status", False)
        if not self.tool.annotations.get("idempotentHint"):
            set_fields = {*arguments, STATUS_FIELD} if sets_status else set(arguments)
            return _differs(_select_members(result, set_fields - targets), current) or _has_newer_version(
                current, result
            )
        # Arguments that identify the object are not changed, and the object may have been renamed since.
        identifying = targets | ({"name"} if "newName" in self.tool.input_schema["properties"] else set())
        fields = {
            READER_FIELD_NAMES.get(name, name): value for name, value in arguments.items() if name not in identifying
        }
        if sets_status and STATUS_FIELD in result:
            fields[STATUS_FIELD] = result[STATUS_FIELD]
        expected = {**fields, **_select_members(result, fields.keys())}
        not_shown = any(value is not None and name not in current for name, value in expected.items())
        # Null clears a field.
        not_cleared = any(value is None and current.get(name) not in EMPTY_VALUES for name, value in expected.items())
        return not_shown or not_cleared or _differs(expected, current)


def _select_members(values: JsonObject, names: Collection[str]) -> JsonObject:
    return {name: value for name, value in values.items() if name in names}


def _differs(expected: JsonObject, current: JsonObject) -> bool:
    """Return whether a member of *expected* has another value in *current*; null matches any value."""
    return any(
        value is not None and name in current and not _includes(value, current[name])
        for name, value in expected.items()
    )


def _includes(value: Any, current: Any) -> bool:
    """Return whether *current* equals *value*, or is an object with all of its members."""
    if isinstance(value, dict) and isinstance(current, dict):
        return all(name in current and _includes(member, current[name]) for name, member in value.items())
    return bool(value == current)


def _has_newer_version(current: JsonObject, result: JsonObject) -> bool:
    """Return whether the object has a newer version than the one that the write created."""
    created, newest = result.get("version"), current.get("currentVersionNumber")
    return isinstance(created, int) and isinstance(newest, int) and created != newest


@dataclass(frozen=True, slots=True)
class MembershipVerifier:
    """Reads the list that a write added members to or removed members from."""

    reader: Tool
    added_argument: str
    removed_argument: str

    async def still_holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Return whether the list has all added members and no removed ones."""
        properties = self.reader.input_schema["properties"]
        try:
            content = await self.reader.run(
                call, {name: value for name, value in arguments.items() if name in properties}
            )
        except ApiError as error:
            if error.kind == "credential":
                raise
            return True
        if isinstance(content, ContentResult):
            return True
        rows_key = self.reader.rows_key or self.added_argument or self.removed_argument
        names = self.added_argument, self.removed_argument
        members = {member_key(row, names) for row in structured_content(content).get(rows_key, ())}
        added, removed = ({member_key(one, names) for one in as_list(arguments.get(name))} for name in names)
        return added <= members and not removed & members


def as_list(value: Any) -> list[Any]:
    """Return the members that an argument names: a list of them, or one; none for null."""
    return value if isinstance(value, list) else [] if value is None else [value]


def member_key(value: Any, names: Collection[str]) -> str:
    """Return the key of a member: a tag in lower case, as the API stores it; a labeled object by its type and id; a row
    of a list by the member that has the name of the argument.
    """
    if not isinstance(value, dict):
        return str(value).strip().lower()
    own = next((value[name] for name in names if isinstance(value.get(name), str)), None)
    return f"{value.get('objectType')} {value.get('objectId')}" if own is None else own.strip().lower()


def verifier_for(tool: Tool, tools_by_name: Mapping[str, Tool]) -> Verifier | None:
    """Return the verifier of the writes of *tool*, as declared; None if they cannot be undone or no tool shows them."""
    facts = tool.facts
    if facts.get("undone_by") == "nothing":
        return None
    reader = find_declared_reader(tool, "verify_with" if "verify_with" in facts else "preview_with", tools_by_name)
    if reader is None:
        return None
    added, removed = facts.get("adds", ""), facts.get("removes", "")
    if added or removed:
        return MembershipVerifier(reader, added, removed)
    return ObjectVerifier(tool, StateReader(reader, **reader_names(tool)))
