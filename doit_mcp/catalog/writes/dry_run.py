"""Dry runs of writes: what would happen, marked as a dry run; for updates, with the values before and after."""

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
    """Make *tool* mark the results of its dry runs, and make an update show its change if *reader* reads its object.

    If the API has a dry run of such a write, that runs, because it checks the arguments. Its response can look like
    that of a write, so every result of a dry run has ``dryRun``. Tools without any dry run are unchanged.
    """
    has_own = ARGUMENT in tool.accepted_schema["properties"]
    describer = ChangeDescriber(tool, reader, read_related) if reader and tool.verb in UPDATING_VERBS else None
    if describer is None and not has_own:
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        given = arguments if has_own else {name: value for name, value in arguments.items() if name != ARGUMENT}
        if arguments.get(ARGUMENT) is not True:
            return await tool.run(call, given)
        result = await tool.run(call, arguments) if has_own else {"status": DRY_RUN_STATUS}
        if isinstance(result, ContentResult):
            return result
        marked = {**structured_of(result), ARGUMENT: True}
        if describer is not None:
            marked["change"] = await describer.record(given, await describer.read(call, given))
        return with_structured(result, marked)

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
