"""Confirming: which writes ask the user first, and what has to hold when the user accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson

from ...api.errors import ApiError
from ...api.markers import addresses_at, has_value_at
from ...api.pagination import LARGE_PAGE_SIZE, parse_page
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call, Question
from ..tools.tool import ContentResult, Declined, Tool, ToolError
from .plain_text import to_plain_text
from .preview import TARGET_ARGUMENTS, preview_digest, preview_message

# A write always asks if its verb, its area or its name is here. Others ask if they are given an argument that reaches
# people, addresses, channels or outside systems, or a text that mentions some (api/markers.py).
CONFIRMED_VERBS = frozenset("archive cancel delete".split())
CONFIRMED_AREAS = frozenset("sharing users contracts contract_templates billing_transfer assets".split())
CONFIRMED_TOOLS = frozenset(
    "trigger_cloud_flow update_customer send_datahub_events upload_datahub_csv post_insight_results"
    " post_insight_resource_results create_account_role update_aws_feature"
    " create_cloudflow_connection update_cloudflow_connection"
    " assign_objects_to_label dismiss_budget_suggestion".split()
)
READER_TOOLS: Mapping[str, str] = {
    "assign_objects_to_label": "get_label",
    "cancel_invite": "list_users",
    "create_account_role": "get_aws_account",
    "delete_account_role": "get_aws_account",
    "delete_custom_theme": "get_theme",
    "delete_insight_result": "get_insight",
    "delete_report": "get_report_config",
    "delete_user": "list_users",
    "dismiss_budget_suggestion": "list_budget_suggestions",
    "post_insight_resource_results": "get_insight",
    "resend_invite": "list_users",
    "trigger_cloud_flow": "list_cloudflows",
    "update_aws_feature": "get_aws_account",
    "update_user": "list_users",
}
"""The tool that shows what a write is about, where that is not get_ and the noun of the write."""
READER_ARGUMENTS: Mapping[str, str] = {"sourceID": "source", "insightKey": "key", "flowID": "id", "ticketId": "id"}
"""What readers call an argument that the write has another name for."""
CONFIRMATION_KEY = "confirm"
EMPTY_FORM: JsonObject = {"type": "object", "properties": {}}
MAX_QUESTIONS = 3
"""How often the user is asked when what a write is about changes while they think."""
MAX_READ_PAGES = 10
"""Pages of a list that are searched for the thing a write is about."""
MAX_INLINE_BYTES = 16 << 10
"""Of arguments whose preview is made in the event loop. A text of a few KB can be JSON with thousands of members."""
STATE_UNREADABLE = "The current state could not be read."
CLIENT_UNREACHABLE = (
    "asks the user first, and the question cannot reach this client: the request does not accept an event stream. Send"
    " the header Accept: application/json, text/event-stream, and call again."
)


def always_confirms(tool: Tool) -> bool:
    """Whether *tool* always asks before it runs, whatever its arguments."""
    verb = tool.name.partition("_")[0]
    return tool.writes and (verb in CONFIRMED_VERBS or tool.area in CONFIRMED_AREAS or tool.name in CONFIRMED_TOOLS)


@dataclass(frozen=True, slots=True)
class StateReader:
    """How the current state of what a write is about is read: by a tool for one thing, or as a row of a list."""

    tool: Tool
    may_be_missing: bool = False
    """The write also makes what is not there yet."""

    async def read_state(self, call: Call, arguments: JsonObject) -> JsonObject | None:
        """The thing; None where it is not known. Raises ApiError if it is not there but has to be, and where the
        sign-in has ended."""
        return (await self.read_state_with_note(call, arguments))[0]

    async def read_state_with_note(self, call: Call, arguments: JsonObject) -> tuple[JsonObject | None, str]:
        """The same, with a note for the user on why it is not known."""
        schema = self.tool.input_schema
        places = {*TARGET_ARGUMENTS, *schema.get("required", ())} & schema["properties"].keys()
        named = {READER_ARGUMENTS.get(name, name): value for name, value in arguments.items()}
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
        """The row with this id; if it was not found, also how far the list was read."""
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
                return None, f"{self.tool.name} shows nothing with this id."
            token = page.next_token
        return None, f"The first {MAX_READ_PAGES} pages of {self.tool.name} show nothing with this id."


def _with_newest_version(row: JsonObject) -> JsonObject:
    """*row*; one that is kept in versions, the newest last, has the fields of the newest as well."""
    versions = row.get("versions")
    newest = versions[-1] if isinstance(versions, list) and versions else None
    return {**row, **newest} if isinstance(newest, dict) else row


def find_reader(tool: Tool, tools_by_name: Mapping[str, Tool]) -> StateReader | None:
    """The reader of what *tool* changes or deletes, if *tools_by_name* has one."""
    verb, _, noun = tool.name.partition("_")
    creates = verb == "create"
    reader = tools_by_name.get(READER_TOOLS.get(tool.name, "" if creates else f"get_{noun}"))
    return None if reader is None or reader.writes else StateReader(reader, creates)


def with_confirmation(tool: Tool, reader: StateReader | None) -> Tool:
    """*tool*, which asks the user first where the client can be asked. A no, or no answer, and nothing happens."""
    always = always_confirms(tool)

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        # A trial changes nothing; and whether a client can be asked does not depend on the words, which cost requests.
        reaches = always or has_value_at(
            arguments, tool.external_target_paths, replaces=tool.name.startswith("update_")
        )
        reaches = reaches or bool(addresses_at(arguments, tool.linked_text_paths))
        asks = arguments.get("dryRun") is not True and reaches
        if asks and call.can_ask(confirmation_question("")):
            await _confirm(call, tool, reader, arguments)
        elif asks and call.client_supports(confirmation_question("")):
            raise ToolError(f"Nothing was changed: {tool.name} {CLIENT_UNREACHABLE}")
        return await tool.run(call, arguments)

    return replace(tool, run=run)


async def _confirm(call: Call, tool: Tool, reader: StateReader | None, arguments: JsonObject) -> None:
    """Ask the user until they accept what is true at that time. Raises ToolError if they do not.

    After the answer everything is read and put into words again: what they agreed to is what is there. In the era that
    runs the call again with the answer, that run has just done so. Between this last read and the write the state can
    still change; the API has no conditional requests that would rule it out.
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
                f"Nothing was changed: the user did not agree to {tool.name}. Do not call it again unless the user"
                " asks for it."
            )
        accepted, asked = asked, await preview() if call.waits_for_answers else asked
        if asked == accepted:
            return
    raise ToolError(
        f"Nothing was changed: what {tool.name} is about changed each time while the user was being asked"
        f" ({MAX_QUESTIONS} times). Read its current state, tell the user, and call again."
    )


def _make_question(tool: Tool, arguments: JsonObject, current: JsonObject | None, customer: str, note: str) -> Question:
    said = tool, arguments, current, customer, note
    return confirmation_question(preview_message(*said), preview_digest(*said))


async def _customer_label(call: Call) -> str:
    """The customer that an employee acts for, by domain and id; "" for everybody else, who have only their own."""
    id = call.customer_context
    if id is None:
        return ""
    try:
        domain = to_plain_text(str((await call.doit.auth.validate_user()).get("domain") or ""))
    except ApiError as error:
        if error.kind == "credential":
            raise
        domain = ""  # The id alone still says whose data it is; if the API is unavailable, the write will say so.
    # Where an API token names the customer, its key is the domain.
    id = "" if id == domain else to_plain_text(id)
    return (f"{domain} (id {id})" if domain and id else domain or id) or "your own account"


def confirmation_question(text: str, source_digest: str = "") -> Question:
    """A yes or no: a form without fields, which is accepted or not."""
    params: JsonObject = {"mode": "form", "message": text, "requestedSchema": EMPTY_FORM}
    return Question("elicitation/create", params, signed=True, source_digest=source_digest)
