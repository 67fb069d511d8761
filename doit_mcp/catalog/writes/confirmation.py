"""Confirmation: asks the user before a write, and checks that what they accepted is still true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from ...api.errors import ApiError
from ...api.markers import addresses_at, has_value_at
from ...api.pagination import LARGE_PAGE_SIZE, parse_page
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call, Question
from ..tools.declarations import always_asks, reader_name
from ..tools.tool import ContentResult, Declined, Tool, ToolError
from .plain_text import to_plain_text
from .preview import preview_digest, preview_message

CONFIRMATION_KEY = "confirm"
EMPTY_FORM: JsonObject = {"type": "object", "properties": {}}
MAX_QUESTIONS = 3
"""How often the user is asked if the thing changes while they think."""
MAX_READ_PAGES = 10
"""Pages of a list that are searched for the object of a write."""
MAX_INLINE_BYTES = 16 << 10
"""Size of arguments up to which the preview is made in the event loop. A few KB of JSON can have thousands of members."""
STATE_UNREADABLE = "The current state could not be read."
CLIENT_UNREACHABLE = (
    "requires the user's confirmation, but the request does not accept an event stream, over which the server would ask."
    " Send the header Accept: application/json, text/event-stream, and call again."
)


def always_confirms(tool: Tool) -> bool:
    """Return whether *tool* asks before each call, whatever its arguments."""
    return tool.writes and always_asks(tool.facts)


@dataclass(frozen=True, slots=True)
class StateReader:
    """Reads the current state of the object of a write: with a get tool, or as a row of a list."""

    tool: Tool
    may_be_missing: bool = False
    """The write also creates what does not exist yet."""
    argument_names: Mapping[str, str] = field(default_factory=dict)
    """The names that *tool* has for arguments that are called differently in the write."""

    async def read_state(self, call: Call, arguments: JsonObject) -> JsonObject | None:
        """Return the object; None if it is unknown.

        Raise ApiError if it does not exist but must, or if the credential is no longer accepted.
        """
        return (await self.read_state_with_note(call, arguments))[0]

    async def read_state_with_note(self, call: Call, arguments: JsonObject) -> tuple[JsonObject | None, str]:
        """Return the object as read_state() does, with a note for the user if it is unknown."""
        schema = self.tool.input_schema
        places = {*self.tool.targets, *schema.get("required", ())}
        named = {self.argument_names.get(name, name): value for name, value in arguments.items()}
        given = {name: value for name, value in named.items() if name in places}
        if self.tool.argument_problems(given):
            return None, ""
        try:
            if self.tool.name.startswith("list_"):
                return await self._find_row(call, given, named.get("id"))
            found = await self.tool.run(call, given)
        except ApiError as error:
            if error.kind == "credential" or (error.kind == "missing" and not self.may_be_missing):
                raise
            return None, STATE_UNREADABLE if error.kind != "missing" else ""
        return (None, "") if isinstance(found, ContentResult) else (_with_newest_version(found), "")

    async def _find_row(self, call: Call, arguments: JsonObject, id: object) -> tuple[JsonObject | None, str]:
        """Return the row with this id; if it was not found, also a note on how far the list was read."""
        if id is None:
            return None, ""
        large = {**arguments, "maxResults": LARGE_PAGE_SIZE}
        given, token = arguments if self.tool.argument_problems(large) else large, ""
        for _ in range(MAX_READ_PAGES):
            found = await self.tool.run(call, {**given, "pageToken": token} if token else given)
            if isinstance(found, ContentResult):
                return None, ""
            page = parse_page(found, self.tool.rows_key)
            if (row := next((row for row in page.rows if row.get("id") == id), None)) is not None:
                return row, ""
            if not page.next_token or page.next_token == token or not self.tool.is_paginated:
                return None, f"{self.tool.name} shows no object with this id."
            token = page.next_token
        return None, f"The first {MAX_READ_PAGES} pages of {self.tool.name} show no object with this id."


def _with_newest_version(row: JsonObject) -> JsonObject:
    """Return *row*; an object with versions, the newest last, also gets the fields of the newest."""
    versions = row.get("versions")
    newest = versions[-1] if isinstance(versions, list) and versions else None
    return {**row, **newest} if isinstance(newest, dict) else row


def find_reader(tool: Tool, tools_by_name: Mapping[str, Tool]) -> StateReader | None:
    """Return the reader of what *tool* changes or deletes, as declared.

    Raise TypeError if the declaration does not name a tool that reads.
    """
    found = declared_reader(tool, "preview_with", tools_by_name)
    if found is None:
        return None
    return StateReader(found, tool.verb == "create", tool.facts.get("preview_arguments", {}))


def declared_reader(
    tool: Tool, fact: Literal["preview_with", "verify_with"], tools_by_name: Mapping[str, Tool]
) -> Tool | None:
    """Return the tool that a *fact* of a declaration refers to; or None.

    Raise TypeError if it is not a known tool that reads.
    """
    name = reader_name(tool.facts.get(fact))
    found = tools_by_name.get(name)
    if name and (found is None or found.writes):
        raise TypeError(f"{tool.declared_in}: {tool.name} has {fact}={name}, which is not a tool that reads")
    return found


def with_confirmation(tool: Tool, reader: StateReader | None) -> Tool:
    """Make *tool* ask the user first if the client supports it. Nothing happens unless the user accepts."""
    always = always_confirms(tool)

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        # A trial run changes nothing. Whether a client can be asked does not depend on the text, which costs requests.
        reaches = always or has_value_at(arguments, tool.external_target_paths, replaces=tool.verb == "update")
        reaches = reaches or bool(addresses_at(arguments, tool.linked_text_paths))
        asks = arguments.get("dryRun") is not True and reaches
        if asks and call.can_ask(confirmation_question("")):
            await _confirm(call, tool, reader, arguments)
        elif asks and call.client_supports(confirmation_question("")):
            raise ToolError(f"Nothing was changed: {tool.name} {CLIENT_UNREACHABLE}")
        return await tool.run(call, arguments)

    return replace(tool, run=run)


async def _confirm(call: Call, tool: Tool, reader: StateReader | None, arguments: JsonObject) -> None:
    """Ask the user until they accept what is true at that time. Raise ToolError if they do not.

    After the answer the state is read again and the question made again, so that the user agreed to what is true now.
    With stateless requests the call runs again with the answer, and that run has just done so. Between this last read
    and the write the state can still change; the API has no conditional requests that would prevent it.
    """
    customer = await _customer_label(call)

    async def preview() -> Question:
        current, note = await reader.read_state_with_note(call, arguments) if reader is not None else (None, "")
        if is_large(arguments) or len(orjson.dumps(arguments)) > MAX_INLINE_BYTES:
            return await run_in_thread(_make_question, tool, arguments, current, customer, note)
        return _make_question(tool, arguments, current, customer, note)

    asked = await preview()
    for _ in range(MAX_QUESTIONS):
        answer = (await call.ask_all({CONFIRMATION_KEY: asked}))[CONFIRMATION_KEY]
        if answer["action"] != "accept":
            raise Declined(
                f"Nothing was changed: the user declined {tool.name}. Do not call it again unless the user asks for it."
            )
        accepted, asked = asked, await preview() if call.waits_for_answers else asked
        if asked == accepted:
            return
    raise ToolError(
        f"Nothing was changed: the object of {tool.name} changed each of the {MAX_QUESTIONS} times that the user was asked."
        " Read its current state, inform the user, and call again."
    )


def _make_question(tool: Tool, arguments: JsonObject, current: JsonObject | None, customer: str, note: str) -> Question:
    said = tool, arguments, current, customer, note
    return confirmation_question(preview_message(*said), preview_digest(*said))


async def _customer_label(call: Call) -> str:
    """The customer that an employee acts for, by domain and id; "" for other users, who have only their own."""
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
    """A question for yes or no: a form without fields, which the user accepts or declines."""
    params: JsonObject = {"mode": "form", "message": text, "requestedSchema": EMPTY_FORM}
    return Question("elicitation/create", params, signed=True, source_digest=source_digest)
