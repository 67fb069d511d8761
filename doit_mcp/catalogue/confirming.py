"""Confirming: which tools ask the user before they change anything, and what the user is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from ..doit.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .call import Call, Question
from .invisible import visible
from .tools import Content, Tool, ToolError

# A write confirms if its verb, its area or its name is here.
VERBS = frozenset("archive cancel delete".split())
AREAS = frozenset("sharing users contracts contract_templates billing_transfer assets".split())
NAMES = frozenset(
    "trigger_cloud_flow update_customer send_datahub_events upload_datahub_csv post_insight_results"
    " post_insight_resource_results create_account_role update_aws_feature"
    " create_cloudflow_connection update_cloudflow_connection"
    " assign_objects_to_label dismiss_budget_suggestion".split()
)
READERS: Mapping[str, str] = {
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
READ_AS: Mapping[str, str] = {"sourceID": "source", "insightKey": "key", "flowID": "id"}
"""What readers call an argument that the write has another name for."""
PLACES = frozenset(
    "id customerID customerId contractID templateID resourceType resourceId flowId flowID accountID connectionId"
    " sourceID insightKey".split()
)
"""Arguments that say what a write is about, not what it changes. All of a deletion's do."""

KEY = "confirm"
FORM: JsonObject = {"type": "object", "properties": {}}
TELLING = (
    *("name", "displayName", "firstName", "lastName", "email", "title", "subject", "description", "type", "status"),
    *("role", "roleId", "owner", "amount", "currency", "platform", "public", "permissions", "records", "version"),
    *("roleArn", "s3Bucket", "enabledFeatures"),
)
"""Fields of a thing that tell people which one it is, and that do not change by themselves while they think."""
MOST_LINES, MOST_VALUE = 20, 160


def confirms(tool: Tool) -> bool:
    """Whether *tool* asks before it runs."""
    verb = tool.name.partition("_")[0]
    return tool.writes and (verb in VERBS or tool.area in AREAS or tool.name in NAMES)


@dataclass(frozen=True, slots=True)
class Reader:
    """How the current state of what a write is about is read: by a tool for one thing, or as a row of a list."""

    tool: Tool
    may_miss: bool = False
    """The write also makes what is not there yet."""

    async def current(self, call: Call, arguments: JsonObject) -> JsonObject | None:
        """The thing; None where it cannot be told. Raises ApiError if it is not there but has to be."""
        schema = self.tool.input_schema
        places = {*PLACES, *schema.get("required", ())} & schema["properties"].keys()
        named = {READ_AS.get(name, name): value for name, value in arguments.items()}
        given = {name: value for name, value in named.items() if name in places}
        if self.tool.problems(given):
            return None
        try:
            found = await self.tool.run(call, given)
        except ApiError as error:
            if error.kind == "missing" and not self.may_miss:
                raise
            return None
        if isinstance(found, Content):
            return None
        return _row(found, self.tool.rows, named) if self.tool.name.startswith("list_") else found


def _row(found: JsonObject, rows: str, arguments: JsonObject) -> JsonObject | None:
    identifier = arguments.get("id")
    listed = (row for row in found.get(rows, ()) if isinstance(row, dict))
    return next((row for row in listed if identifier is not None and row.get("id") == identifier), None)


def reader_of(tool: Tool, named: Mapping[str, Tool]) -> Reader | None:
    """The reader of what *tool* changes or deletes, if *named* has one."""
    verb, _, noun = tool.name.partition("_")
    creates = verb == "create"
    reader = named.get(READERS.get(tool.name, "" if creates else f"get_{noun}"))
    return None if reader is None or reader.writes else Reader(reader, creates)


def confirmed(tool: Tool, reader: Reader | None) -> Tool:
    """*tool*, which asks the user first where the client can be asked. A no, or no answer, and nothing happens."""

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        # What can be asked does not depend on the words, which cost a request; a trial changes nothing.
        if arguments.get("dryRun") is not True and call.can_ask(question("")):
            current = await reader.current(call, arguments) if reader is not None else None
            asked = question(message(tool, arguments, current))
            answer = (await call.ask_all({KEY: asked}))[KEY]
            if answer["action"] != "accept":
                raise ToolError(
                    f"Nothing was changed: the user did not agree to {tool.name}. Do not call it again unless the user"
                    " asks for it."
                )
        return await tool.run(call, arguments)

    return replace(tool, run=run)


def question(text: str) -> Question:
    """A yes or no: a form without fields, which is accepted or not."""
    return Question("elicitation/create", {"mode": "form", "message": text, "requestedSchema": FORM}, sealed=True)


def message(tool: Tool, arguments: JsonObject, current: JsonObject | None) -> str:
    """What will happen, in plain text: the tool, what it is about now, and what changes."""
    lines = [f"{tool.title}?"]
    deletes = tool.name.startswith("delete_")
    if deletes:
        lines.append("What is deleted cannot be brought back.")
    if tool.annotations.get("openWorldHint"):
        lines.append("This has effects outside of your DoiT account: people or providers are told.")
    before = current or {}
    about = {name: value for name, value in arguments.items() if deletes or name in PLACES}
    changes = {name: value for name, value in arguments.items() if name not in about}
    told = (name for name in TELLING if name not in arguments)  # What changes is shown with its old value below.
    about |= {name: before[name] for name in told if before.get(name) not in (None, "", [], {})}
    lines += _section("About", (f"{name}: {_shown(value)}" for name, value in about.items()))
    title = "Change" if before.keys() & changes.keys() else "With"
    lines += _section(title, (_change(name, before, value) for name, value in changes.items()))
    lines.append("Accept to go on. Decline, and everything stays as it is.")
    clean: str = orjson.loads(visible(orjson.dumps("\n".join(lines)).decode()))
    return clean


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    more = [f"- and {len(found) - MOST_LINES} more"] if len(found) > MOST_LINES else []
    return [f"{title}:", *(f"- {line}" for line in found[:MOST_LINES]), *more] if found else []


def _change(name: str, before: JsonObject, value: Any) -> str:
    if name in before and before[name] != value:
        return f"{name}: {_shown(before[name])} → {_shown(value)}"
    return f"{name}: {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > 3 and all(isinstance(one, dict | list) for one in value):
        return f"{len(value)} entries"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    # Nothing behind these characters is shown, unless nearly all of them are spaces.
    text = " ".join(text[: 10 * MOST_VALUE].split())
    return text if len(text) <= MOST_VALUE else f"{text[: MOST_VALUE - 1]}…"
