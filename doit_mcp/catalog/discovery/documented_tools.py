"""Tools for operations that only an API document names. Models find and run them with the discovery tools only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...api import AREAS
from ...api.facts import ToolFacts
from ...api.openapi_document import ApiDocument, DocumentedOperation, parse_api_document
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.result_shapes import as_object, empty_write_result
from ..tools.tool import Tool
from ..tools.tool_factory import operation_annotations

UNTESTED = (
    "This release does not know the operation: its name, arguments and texts come from an API document that the operator"
    " of this server added."
)
OTHER_AREA = "other"
NAMES = ("find_operation", "read_operation", "call_operation")


def read_document(text: bytes, tools: Sequence[Tool]) -> ApiDocument:
    """Return the operations of an API document that are not in this release. Raises ValueError."""
    taken = [name for tool in tools for name in (tool.name, tool.facts.get("alias", "")) if name]
    return parse_api_document(text, AREAS.values(), (*taken, *NAMES))


def make_documented_tools(operations: Iterable[DocumentedOperation]) -> tuple[Tool, ...]:
    """Return a tool for each operation, without the safeguards of writes."""
    return tuple(map(_make_tool, operations))


def _make_tool(documented: DocumentedOperation) -> Tool:
    operation = documented.operation

    async def run(call: Call, arguments: JsonObject) -> JsonObject:
        given = {**arguments, operation.body_argument: arguments.get(operation.body_argument)}
        answer = await call.doit.send(operation, given if operation.body_argument else arguments)
        if not operation.read_only and answer in (None, {}):
            return empty_write_result(operation, arguments)
        return as_object(answer, "")

    facts: ToolFacts = {"untested": UNTESTED}
    if not operation.read_only:
        # What the write does is unknown, so it is treated as the worst case, and each call asks the user.
        facts |= {"confirm": True, "preview_with": None, "undone_by": "nothing"}
    hints = {**operation_annotations(operation), "openWorldHint": True}
    if not operation.read_only:
        hints["destructiveHint"] = True
    return Tool(
        operation.name,
        documented.title,
        documented.summary,
        documented.schema,
        run,
        annotations=hints,
        area=re.sub(r"\W+", "_", documented.tag.lower(), flags=re.ASCII).strip("_") or OTHER_AREA,
        writes=not operation.read_only,
        open_world=not operation.read_only,
        targets=operation.placeholders,
        sends_delete=operation.method == "DELETE",
        facts=facts,
        declared_in="the API document",
    )
