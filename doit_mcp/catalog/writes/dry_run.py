"""Dry runs of updates: the change with the values before and after, without making it."""

from __future__ import annotations

from dataclasses import replace

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.result_shapes import DRY_RUN_STATUS
from ..tools.series import structured_of, with_structured
from ..tools.tool import ContentResult, Tool, ToolResult
from .snapshot import ChangeDescriber, ReadObjects
from .state_reader import StateReader

ARGUMENT = "dryRun"
PUBLISHED: JsonObject = {"type": "boolean", "description": "Only show the change."}
ACCEPTED: JsonObject = {**PUBLISHED, "default": False}
UPDATING_VERBS = frozenset(("update", "set", "assign", "unassign", "reassign"))


def with_dry_run(tool: Tool, reader: StateReader | None, read_related: ReadObjects | None = None) -> Tool:
    """Make an update show its change with ``dryRun``, if *reader* reads its object.

    If the API has a dry run of such an update, that runs as well, and its result has the change.
    """
    has_own = ARGUMENT in tool.accepted_schema["properties"]
    if reader is None or tool.verb not in UPDATING_VERBS:
        return tool
    describer = ChangeDescriber(tool, reader, read_related)

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        given = arguments if has_own else {name: value for name, value in arguments.items() if name != ARGUMENT}
        if arguments.get(ARGUMENT) is not True:
            return await tool.run(call, given)
        result = await tool.run(call, arguments) if has_own else {"status": DRY_RUN_STATUS}
        if isinstance(result, ContentResult):
            return result
        change = await describer.record(given, await describer.read(call, given))
        return with_structured(result, {**structured_of(result), "change": change})

    if has_own:
        return replace(tool, run=run)
    return replace(
        tool,
        run=run,
        input_schema=_with_argument(tool.input_schema, PUBLISHED),
        accepted_schema=_with_argument(tool.accepted_schema, ACCEPTED),
    )


def _with_argument(schema: JsonObject, argument: JsonObject) -> JsonObject:
    return {**schema, "properties": {**schema["properties"], ARGUMENT: argument}}
