"""Reads the current state of the object of a write, with the tool that its declaration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from ...api.errors import ApiError
from ...api.facts import Reader
from ...api.pagination import LARGE_PAGE_SIZE, parse_page
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.declarations import reader_name
from ..tools.series import structured_content
from ..tools.tool import ContentResult, Tool

MAX_READ_PAGES = 10
"""Maximum number of pages of a list that are searched for the object of a write."""
STATE_UNREADABLE = "The current state could not be read."
SHARING_READER = "get_resource_permissions"
SHARING_FIELDS = ("permissions", "public")
SHARING_UNREADABLE = "Who has access could not be read, so the undo does not restore it."


@dataclass(frozen=True, slots=True)
class StateReader:
    """Reads the current state of the object of a write: with a get tool, or as a row of a list."""

    tool: Tool
    may_be_missing: bool = False
    """The write also creates objects that do not exist yet."""
    argument_names: Mapping[str, str] = field(default_factory=dict)
    """The names that *tool* has for arguments, by their names in the write, if they differ."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Arguments of *tool* that have the same value in each call."""
    row_id: str = "id"
    """The member that identifies the rows of a list."""
    sharing: Tool | None = None
    """The tool that shows who has access to the object, if that is part of its state."""
    shared_as: str = ""
    """The type of the object for that tool."""

    async def read_state(self, call: Call, arguments: JsonObject) -> JsonObject | None:
        """Return the object; None if its state is unknown.

        Raises ApiError if it does not exist but must, if the arguments are rejected before anything is sent, or if the
        credential is no longer accepted.
        """
        return (await self.read_state_with_note(call, arguments))[0]

    async def read_state_with_note(self, call: Call, arguments: JsonObject) -> tuple[JsonObject | None, str]:
        """Return the object as read_state() does, with a note for the user if its state is unknown."""
        schema = self.tool.input_schema
        declared = {name for name in self.argument_names.values() if name in schema["properties"]}
        names = {*self.tool.targets, *schema.get("required", ()), *declared}
        renamed = {
            self.argument_names.get(name, name): value for name, value in {**arguments, **self.constants}.items()
        }
        reader_arguments = {name: value for name, value in renamed.items() if name in names}
        if self.tool.argument_problems(reader_arguments):
            return None, ""
        try:
            if self.tool.name.startswith("list_"):
                return await self._find_row(call, reader_arguments, renamed.get(self.row_id))
            result = await self.tool.run(call, reader_arguments)
        except ApiError as error:
            # Arguments that are rejected before anything is sent name no object, such as an unknown name.
            is_missing = error.kind in ("missing", "argument")
            if error.kind == "credential" or (is_missing and not self.may_be_missing):
                raise
            return None, STATE_UNREADABLE if error.kind != "missing" else ""
        if isinstance(result, ContentResult):
            return None, ""
        return await self._with_sharing(call, arguments, _with_newest_version(structured_content(result)))

    async def _with_sharing(self, call: Call, arguments: JsonObject, state: JsonObject) -> tuple[JsonObject, str]:
        """Return *state* with the users who have access, and a note if they cannot be read."""
        if self.sharing is None:
            return state, ""
        resource = {"resourceType": self.shared_as, "resourceId": state.get("id", arguments.get("id"))}
        try:
            access = await self.sharing.run(call, resource)
        except ApiError as error:
            if error.kind == "credential":
                raise
            return state, SHARING_UNREADABLE
        if isinstance(access, ContentResult):
            return state, SHARING_UNREADABLE
        return {**state, **{name: structured_content(access).get(name) for name in SHARING_FIELDS}}, ""

    async def _find_row(self, call: Call, arguments: JsonObject, id: object) -> tuple[JsonObject | None, str]:
        """Return the row with this id; without such a row, a note that states how much of the list was read."""
        if id is None:
            return None, ""
        with_page_size = {**arguments, "maxResults": LARGE_PAGE_SIZE}
        list_arguments, token = arguments if self.tool.argument_problems(with_page_size) else with_page_size, ""
        for _ in range(MAX_READ_PAGES):
            result = await self.tool.run(call, {**list_arguments, "pageToken": token} if token else list_arguments)
            if isinstance(result, ContentResult):
                return None, ""
            page = parse_page(structured_content(result), self.tool.rows_key)
            if (row := next((row for row in page.rows if row.get(self.row_id) == id), None)) is not None:
                return row, ""
            if not page.next_token or page.next_token == token or not self.tool.is_paginated:
                return None, f"{self.tool.name} shows no object with this id."
            token = page.next_token
        return None, f"The first {MAX_READ_PAGES} pages of {self.tool.name} show no object with this id."


def _with_newest_version(row: JsonObject) -> JsonObject:
    """Return *row*, with the fields of its newest version, the last one, if it has versions."""
    versions = row.get("versions")
    newest = versions[-1] if isinstance(versions, list) and versions else None
    return {**row, **newest} if isinstance(newest, dict) else row


def find_reader(tool: Tool, tools_by_name: Mapping[str, Tool]) -> StateReader | None:
    """Return the reader of the object that *tool* changes or deletes, as declared.

    Raises TypeError if the declaration does not name a tool that reads.
    """
    reader_tool = find_declared_reader(tool, "preview_with", tools_by_name)
    if reader_tool is None:
        return None
    shared_as = tool.facts.get("shared_as", "")
    sharing = find_named_tool(tool, "shared_as", SHARING_READER, tools_by_name) if shared_as else None
    return StateReader(reader_tool, tool.verb == "create", **reader_names(tool), sharing=sharing, shared_as=shared_as)


class ReaderNames(TypedDict):
    """The names that the reader of a write's object has for what identifies it."""

    argument_names: Mapping[str, str]
    constants: Mapping[str, str]
    row_id: str


def reader_names(tool: Tool) -> ReaderNames:
    """Return the names by which a reader finds the object of the write *tool*."""
    argument_names = tool.facts.get("preview_arguments", {})
    identifying = [argument_names.get(name, name) for name in tool.targets]
    # The last part of a path identifies the object itself, if no argument is called id.
    row_id = "id" if "id" in identifying or not identifying else identifying[-1]
    constants = tool.facts.get("preview_constants", {})
    return {"argument_names": argument_names, "constants": constants, "row_id": row_id}


def find_declared_reader(
    tool: Tool, fact: Literal["preview_with", "verify_with"], tools_by_name: Mapping[str, Tool]
) -> Tool | None:
    """Return the tool that a *fact* of a declaration refers to; None without the fact.

    Raises TypeError if it is not a known tool that reads.
    """
    return find_named_tool(tool, fact, tool.facts.get(fact), tools_by_name)


def find_named_tool(
    tool: Tool, fact: str, named: Reader | None, tools_by_name: Mapping[str, Tool], *, writes: bool = False
) -> Tool | None:
    """Return the tool that is *named* by a *fact* of the declaration of *tool*; None without a name.

    Raises TypeError if it is not a known tool that *writes* or reads, as is expected.
    """
    name = reader_name(named)
    found = tools_by_name.get(name)
    if name and (found is None or found.writes is not writes):
        raise TypeError(
            f"{tool.declared_in}: {tool.name} has {fact}={name}, which is not a tool that"
            f" {'writes' if writes else 'reads'}"
        )
    return found
