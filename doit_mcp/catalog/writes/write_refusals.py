"""Reasons why the API would refuse a write, found before the user is asked, so that it is never offered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.tool import Tool, ToolError
from .object_reads import read_rows
from .receipt_verification import as_list
from .value_formatting import preview_value

MAX_NAMED = 10
"""Maximum number of objects that an error names."""


def check_refusal(tool: Tool, arguments: JsonObject, current: JsonObject) -> None:
    """Raise ToolError if the API refuses the write *tool* to an object with this state."""
    refusal = tool.facts.get("refusal")
    if refusal is not None and (reason := refusal(arguments, current)):
        raise ToolError(f"Nothing was changed: {reason}")


def check_unused(lines: Sequence[str]) -> None:
    """Raise ToolError if there are *lines*, which describe the objects that keep the API from making the change."""
    if lines:
        more = f"; and {len(lines) - MAX_NAMED:,} more" if len(lines) > MAX_NAMED else ""
        raise ToolError(
            "Nothing was changed: the API refuses this while the object is in use. Remove it from these first:"
            f" {'; '.join(lines[:MAX_NAMED])}{more}."
        )


def check_listed(tool: Tool, argument: str, given: object, listed: Collection[str], reader_name: str) -> None:
    """Raise ToolError for an id in *argument* that is not *listed* by the tool *reader_name*, if it must be.

    Nothing is checked if *listed* is empty, because then the list could not be read.
    """
    if argument not in tool.facts.get("must_be_listed", ()) or not listed:
        return
    for id in as_list(given):
        if id not in listed:
            raise ToolError(
                f"Nothing was changed: {argument}: no object has the id {preview_value(id)}. {reader_name} lists the ids."
            )


async def check_name(call: Call, tool: Tool, reader: Tool | None, arguments: JsonObject, current: JsonObject) -> None:
    """Raise ToolError if another object in the list of *reader* has the argument ``name``, and ApiError for a
    credential that is no longer accepted.

    The arguments identify the object itself, even if its *current* state could not be read.
    """
    name = arguments.get("name")
    if reader is None or name is None or name == current.get("name"):
        return
    own = [arguments.get(target) for target in tool.targets]
    rows = await read_rows(call, reader, {}) or []
    if any(row.get("name") == name and row.get("id") not in own for row in rows):
        raise ToolError(
            f"Nothing was changed: name: {preview_value(name)} is already in use. {reader.name} lists the names in use;"
            " choose another one."
        )
