"""Dry runs of writes: the change with the values before and after, without making it, marked as a dry run."""

from __future__ import annotations

from dataclasses import replace

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.result_shapes import DRY_RUN_STATUS
from ..tools.series import structured_content, with_structured
from ..tools.tool import ContentResult, Tool, ToolResult
from .change_context import ChangeContextReader
from .change_describer import ChangeDescriber
from .reversibility import UPDATING_VERBS
from .snapshot import Snapshot
from .state_reader import StateReader
from .undo import UndoPlan

ARGUMENT = "dryRun"
PUBLISHED: JsonObject = {"type": "boolean", "description": "Only show the change."}
ACCEPTED: JsonObject = {**PUBLISHED, "default": False}
CHANGING_VERBS = UPDATING_VERBS | {"cancel", "create", "delete", "resend"}
"""Verbs of writes whose dry run in the API shows what would change; those of other writes have their own results."""
DONE_MESSAGE = "message"
"""Member with the API's text about the finished write. The API also sends it for dry runs."""


def with_dry_run(
    tool: Tool,
    reader: StateReader | None,
    context_reader: ChangeContextReader | None = None,
    undo: UndoPlan | None = None,
) -> Tool:
    """Add a dry run to an update, if *reader* reads its object, and mark the results of the dry runs that the API has.

    A dry run of the API runs, because it checks the arguments. Its response can look like that of the write, so each
    result has ``dryRun``, the status "dry_run" if it has no other, and the change. Tools without any are unchanged.
    """
    has_own = ARGUMENT in tool.accepted_schema["properties"]
    if not has_own and (reader is None or tool.verb not in UPDATING_VERBS):
        return tool
    describer = ChangeDescriber(tool, reader, context_reader, undo) if tool.verb in CHANGING_VERBS else None

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        given = {name: value for name, value in arguments.items() if name != ARGUMENT}
        if arguments.get(ARGUMENT) is not True:
            return await tool.run(call, arguments if has_own else given)
        result = await tool.run(call, arguments) if has_own else {}
        if isinstance(result, ContentResult):
            return result
        found = {name: value for name, value in structured_content(result).items() if name != DONE_MESSAGE}
        marked = {"status": DRY_RUN_STATUS, **found, ARGUMENT: True}
        if describer is not None:
            marked["change"] = await describer.record(
                given, await _read_state(call, describer, given, is_checked=has_own)
            )
        return with_structured(result, marked)

    if has_own:
        return replace(tool, run=run)
    return replace(
        tool,
        run=run,
        input_schema=_with_argument(tool.input_schema, PUBLISHED),
        accepted_schema=_with_argument(tool.accepted_schema, ACCEPTED),
    )


async def _read_state(call: Call, describer: ChangeDescriber, arguments: JsonObject, *, is_checked: bool) -> Snapshot:
    """Return the current state, which is unknown if the API accepted a dry run and no tool shows the object.

    Raises ApiError for a bad credential, and for an object that does not exist unless the API has checked the call
    (*is_checked*).
    """
    try:
        return await describer.read(call, arguments)
    except ApiError as error:
        if error.kind == "credential" or not is_checked:
            raise
    return await replace(describer, reader=None, context_reader=None).read(call, arguments)


def _with_argument(schema: JsonObject, argument: JsonObject) -> JsonObject:
    return {**schema, "properties": {**schema["properties"], ARGUMENT: argument}}
