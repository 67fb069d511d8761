"""Confirmation: asks the user before a write, and checks that the state that they accepted is still current."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict

import orjson

from ...api.errors import ApiError
from ...api.markers import addresses_at, has_value_at
from ...api.pagination import LARGE_PAGE_SIZE, parse_page
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call, NoAnswer, Question
from ..tools.declarations import always_asks, reader_name
from ..tools.series import structured_of
from ..tools.tool import ContentResult, Declined, Tool, ToolError, ToolResult
from .plain_text import to_plain_text
from .preview import preview_digest, preview_message

ReadObjects = Callable[[Call, JsonObject], Awaitable[dict[str, JsonObject]]]

CONFIRMATION_KEY = "confirm"
EMPTY_FORM: JsonObject = {"type": "object", "properties": {}}
MAX_QUESTIONS = 3
"""Maximum questions to the user if the object changes while they decide."""
MAX_READ_PAGES = 10
"""Pages of a list that are searched for the object of a write."""
MAX_INLINE_BYTES = 16 << 10
"""Size of arguments up to which the preview is built in the event loop. A few KB of JSON can have thousands of members."""
STATE_UNREADABLE = "The current state could not be read."
CLIENT_UNREACHABLE = (
    "requires the user's confirmation, but the request does not accept an event stream, over which the server would ask."
    " Send the header Accept: application/json, text/event-stream, and call again."
)


def always_confirms(tool: Tool) -> bool:
    """Return whether *tool* asks before each call, regardless of its arguments."""
    return tool.writes and always_asks(tool.facts)


@dataclass(frozen=True, slots=True)
class StateReader:
    """Reads the current state of the object of a write: with a get tool, or as a row of a list."""

    tool: Tool
    may_be_missing: bool = False
    """The write also creates objects that do not exist yet."""
    argument_names: Mapping[str, str] = field(default_factory=dict)
    """The names that *tool* has for arguments, by their names in the write, if they differ."""
    row_id: str = "id"
    """The member that identifies the rows of a list."""

    async def read_state(self, call: Call, arguments: JsonObject) -> JsonObject | None:
        """Return the object; None if its state is unknown.

        Raises ApiError if it does not exist but must, or if the credential is no longer accepted.
        """
        return (await self.read_state_with_note(call, arguments))[0]

    async def read_state_with_note(self, call: Call, arguments: JsonObject) -> tuple[JsonObject | None, str]:
        """Return the object as read_state() does, with a note for the user if its state is unknown."""
        names = {*self.tool.targets, *self.tool.input_schema.get("required", ())}
        renamed = {self.argument_names.get(name, name): value for name, value in arguments.items()}
        reader_arguments = {name: value for name, value in renamed.items() if name in names}
        if self.tool.argument_problems(reader_arguments):
            return None, ""
        try:
            if self.tool.name.startswith("list_"):
                return await self._find_row(call, reader_arguments, renamed.get(self.row_id))
            result = await self.tool.run(call, reader_arguments)
        except ApiError as error:
            if error.kind == "credential" or (error.kind == "missing" and not self.may_be_missing):
                raise
            return None, STATE_UNREADABLE if error.kind != "missing" else ""
        return (None, "") if isinstance(result, ContentResult) else (_with_newest_version(structured_of(result)), "")

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
            page = parse_page(structured_of(result), self.tool.rows_key)
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
    reader_tool = declared_reader(tool, "preview_with", tools_by_name)
    if reader_tool is None:
        return None
    return StateReader(reader_tool, tool.verb == "create", **reader_names(tool))


class ReaderNames(TypedDict):
    """The names that the reader of a write's object has for what identifies it."""

    argument_names: Mapping[str, str]
    row_id: str


def reader_names(tool: Tool) -> ReaderNames:
    """Return the names by which a reader finds the object of the write *tool*."""
    argument_names = tool.facts.get("preview_arguments", {})
    identifying = [argument_names.get(name, name) for name in tool.targets]
    # The last part of a path identifies the object itself, if no argument is called id.
    row_id = "id" if "id" in identifying or not identifying else identifying[-1]
    return {"argument_names": argument_names, "row_id": row_id}


def declared_reader(
    tool: Tool, fact: Literal["preview_with", "verify_with"], tools_by_name: Mapping[str, Tool]
) -> Tool | None:
    """Return the tool that a *fact* of a declaration refers to; None without the fact.

    Raises TypeError if it is not a known tool that reads.
    """
    name = reader_name(tool.facts.get(fact))
    reader_tool = tools_by_name.get(name)
    if name and (reader_tool is None or reader_tool.writes):
        raise TypeError(f"{tool.declared_in}: {tool.name} has {fact}={name}, which is not a tool that reads")
    return reader_tool


def with_confirmation(tool: Tool, reader: StateReader | None, read_related: ReadObjects | None = None) -> Tool:
    """Make *tool* ask the user first if the client supports it. Nothing is changed unless the user accepts.

    *read_related* returns other objects that the question shows, by the arguments with their ids.
    """
    always = always_confirms(tool)

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        # A trial run changes nothing.
        must_ask = arguments.get("dryRun") is not True and (
            always
            or has_value_at(arguments, tool.external_target_paths, replaces=tool.verb == "update")
            or bool(addresses_at(arguments, tool.linked_text_paths))
        )
        # An empty question is enough to check the client, and building the real one costs requests.
        if must_ask and call.can_ask(confirmation_question("")):
            await _confirm(call, tool, reader, read_related, arguments)
        elif must_ask and call.client_supports(confirmation_question("")):
            raise ToolError(f"Nothing was changed: {tool.name} {CLIENT_UNREACHABLE}")
        return await tool.run(call, arguments)

    return replace(tool, run=run)


async def _confirm(
    call: Call, tool: Tool, reader: StateReader | None, read_related: ReadObjects | None, arguments: JsonObject
) -> None:
    """Ask the user until they accept a question that is still current. Raises ToolError if they do not.

    After an answer, the state is read and the question is built again, so that the user accepted the current state.
    With stateless requests, the call runs again with the answer, and that run has just read the state. The state can
    still change between this last read and the write: only few operations of the API have conditional requests, which
    prevent it (needs_if_match).
    """
    customer = await _customer_label(call)

    async def build_question() -> Question:
        current, note = await reader.read_state_with_note(call, arguments) if reader is not None else (None, "")
        related = await read_related(call, arguments) if read_related is not None else {}
        if is_large(arguments) or len(orjson.dumps(arguments)) > MAX_INLINE_BYTES:
            return await run_in_thread(_make_question, tool, arguments, current, customer, note, related)
        return _make_question(tool, arguments, current, customer, note, related)

    question = await build_question()
    for _ in range(MAX_QUESTIONS):
        await _ask(call, tool, question)
        accepted, question = question, await build_question() if call.waits_for_answers else question
        if question == accepted:
            return
    raise ToolError(
        f"Nothing was changed: the object of {tool.name} changed each of the {MAX_QUESTIONS} times that the user was asked."
        " Read its current state, inform the user, and call again."
    )


async def _ask(call: Call, tool: Tool, question: Question) -> None:
    """Return if the user accepts. Raises ToolError if they do not, or if the client gives no usable answer.

    Some clients declare that they can ask, and decline by themselves or never show the question.
    """
    other_ways = f"make the change in the DoiT console ({call.console_url}), or use a client that shows questions"
    try:
        answer = (await call.ask_all({CONFIRMATION_KEY: question}))[CONFIRMATION_KEY]
    except NoAnswer as reason:
        raise ToolError(
            f"Nothing was changed: {tool.name} requires the user's confirmation, but {reason}. If the user saw no"
            f" question, do not call it again: {other_ways}."
        ) from None
    if answer["action"] != "accept":
        raise Declined(
            f"Nothing was changed: the user declined {tool.name}, or the client declined without showing the question."
            f" Do not call it again unless the user asks for it. If the user saw no question, {other_ways}."
        )


def _make_question(
    tool: Tool,
    arguments: JsonObject,
    current: JsonObject | None,
    customer: str,
    note: str,
    related: Mapping[str, JsonObject],
) -> Question:
    inputs = tool, arguments, current, customer, note, related
    return confirmation_question(preview_message(*inputs), preview_digest(*inputs))


async def _customer_label(call: Call) -> str:
    """Return the domain and id of the customer that an employee acts for; "" for all other users."""
    id = call.customer_context
    if id is None:
        return ""
    try:
        domain = to_plain_text(str((await call.doit.auth.validate_user()).get("domain") or ""))
    except ApiError as error:
        if error.kind == "credential":
            raise
        domain = ""  # The id alone still identifies the customer; if the API is unavailable, the write will fail.
    # If an API token determines the customer, the key is the domain.
    id = "" if id == domain else to_plain_text(id)
    return (f"{domain} (id {id})" if domain and id else domain or id) or "your own account"


def confirmation_question(text: str, source_digest: str = "") -> Question:
    """Return a question that the user accepts or declines: a form without fields."""
    params: JsonObject = {"mode": "form", "message": text, "requestedSchema": EMPTY_FORM}
    return Question("elicitation/create", params, signed=True, source_digest=source_digest)
