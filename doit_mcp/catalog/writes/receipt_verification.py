"""Verification of receipts: checks with the API that an earlier write still holds before a repeat gets its receipt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.argument_coercion import EMPTY_VALUES
from ..tools.tool import ContentResult, Tool, ToolError
from .confirmation import StateReader, declared_reader

STATUS_FIELD = "status"
READER_FIELD_NAMES: Mapping[str, str] = {"jobFunction": "jobTitle", "newName": "name"}
"""Names that readers have for fields that are called differently in the write."""


class Verifier(Protocol):
    """Checks with the API whether an earlier write still holds."""

    async def still_holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Return whether the write with these arguments, which returned *result*, still holds; True if unknown.

        Raise ApiError if the caller's credential is no longer accepted.
        """


@dataclass(frozen=True, slots=True)
class ObjectVerifier:
    """Reads the object that a write of *tool* was about."""

    tool: Tool
    reader: StateReader

    async def still_holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Whether a deleted thing is still gone, and any other thing still is as the write left it."""
        named = self._reader_arguments(arguments, result)
        if named is None:
            return True
        try:
            current = await self.reader.read_state(call, named)
        except ApiError as error:
            if error.kind == "credential":
                raise
            return error.kind != "missing" or self.tool.deletes
        except ToolError:
            return True
        if current is None:
            return True
        if self.tool.facts.get("preview_with") is None:
            # It created the thing.
            # A caller who asks for this name gets a new one if the one that was created has another name now.
            return not _differs({"name": arguments.get("name"), **_select(result, ("name",))}, current)
        return not self.tool.deletes and not self._has_changed(current, arguments, result)

    def _reader_arguments(self, arguments: JsonObject, result: JsonObject) -> JsonObject | None:
        """The arguments with what the reader needs to find the thing; None if neither they nor the result tell."""
        schema = self.reader.tool.input_schema
        needed = schema.get("required", ("id",) if "id" in schema["properties"] else ())
        given = {name.lower(): value for name, value in {**arguments, **result}.items()}
        found = {name: given[name.lower()] for name in needed if given.get(name.lower()) is not None}
        return {**arguments, **found} if len(found) == len(needed) else None

    def _has_changed(self, current: JsonObject, arguments: JsonObject, result: JsonObject) -> bool:
        """Whether a field that was set has another value now. If the API answered with the value, its form counts.

        In case of doubt an idempotent write is repeated, for example if the reader does not show a field.
        """
        targets, sets_status = set(self.tool.targets), self.tool.facts.get("sets_status", False)
        if not self.tool.annotations.get("idempotentHint"):
            set_now = {*arguments, STATUS_FIELD} if sets_status else set(arguments)
            return _differs(_select(result, set_now - targets), current) or _has_newer_version(current, result)
        # Arguments that identify the object are not changed, and the object may have another name by now.
        places = targets | ({"name"} if "newName" in self.tool.input_schema["properties"] else set())
        fields = {READER_FIELD_NAMES.get(name, name): value for name, value in arguments.items() if name not in places}
        if sets_status and STATUS_FIELD in result:
            fields[STATUS_FIELD] = result[STATUS_FIELD]
        expected = {**fields, **_select(result, fields.keys())}
        unseen = any(value is not None and name not in current for name, value in expected.items())
        # Null clears a field.
        filled = any(value is None and current.get(name) not in EMPTY_VALUES for name, value in expected.items())
        return unseen or filled or _differs(expected, current)


def _select(values: JsonObject, names: Collection[str]) -> JsonObject:
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
    made, now = result.get("version"), current.get("currentVersionNumber")
    return isinstance(made, int) and isinstance(now, int) and made != now


@dataclass(frozen=True, slots=True)
class MembershipVerifier:
    """Reads the list that a write added members to or removed members from."""

    reader: Tool
    added_argument: str
    removed_argument: str

    async def still_holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Return whether the list has everything that was added, and nothing that was removed."""
        place = {name: value for name, value in arguments.items() if name in self.reader.input_schema["properties"]}
        try:
            found = await self.reader.run(call, place)
        except ApiError as error:
            if error.kind == "credential":
                raise
            return True
        if isinstance(found, ContentResult):
            return True
        members = set(
            map(_member_key, found.get(self.reader.rows_key or self.added_argument or self.removed_argument, ()))
        )
        added, removed = (
            {*map(_member_key, arguments.get(name) or ())} for name in (self.added_argument, self.removed_argument)
        )
        return added <= members and not removed & members


def _member_key(value: Any) -> str:
    """Return the key of a member: a tag in lower case, as the API stores it; a labeled object by its type and id."""
    if isinstance(value, dict):
        return f"{value.get('objectType')} {value.get('objectId')}"
    return str(value).strip().lower()


def verifier_for(tool: Tool, tools_by_name: Mapping[str, Tool]) -> Verifier | None:
    """Return the verifier of what *tool* writes, as declared; None if the API shows no effect that could be undone."""
    facts = tool.facts
    if facts.get("undone_by") == "nothing":
        return None
    reader = declared_reader(tool, "verify_with" if "verify_with" in facts else "preview_with", tools_by_name)
    if reader is None:
        return None
    added, removed = facts.get("adds", ""), facts.get("removes", "")
    if added or removed:
        return MembershipVerifier(reader, added, removed)
    return ObjectVerifier(tool, StateReader(reader, argument_names=facts.get("preview_arguments", {})))
