"""Whether what was written a short while ago still holds: the API is asked before a receipt answers a repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..doit.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .call import Call
from .confirming import Reader, reader_of
from .previewing import PLACES
from .tools import Tool, ToolError

CHECKED = frozenset("activate archive cancel create delete set update".split())
"""Verbs of writes whose effect a reader of the thing shows."""
MOVING = frozenset("activate archive cancel".split())
"""Those whose effect is the status that they answer with."""
STATUS = "status"
LISTED = frozenset(("update_user", "delete_user"))
"""Writes about a row of a list: the only ones that a list can show."""
INDIRECT = frozenset(
    "create_account_role create_asset delete_account_role delete_insight_result update_aws_feature".split()
)
"""Writes whose reader shows what they belong to, but not their effect."""


@dataclass(frozen=True, slots=True)
class Check:
    """Reads the thing that a write of *tool* was about."""

    tool: Tool
    reader: Reader

    async def holds(self, call: Call, arguments: JsonObject, result: JsonObject) -> bool:
        """Whether the write with these arguments, which gave *result*, still stands; True where nothing can be said."""
        verb = self.tool.name.partition("_")[0]
        named = self._named(arguments, result)
        if named is None:
            return True
        try:
            current = await self.reader.current(call, named)
        except ApiError as error:
            return error.kind != "missing" or verb == "delete"
        except ToolError:
            return True
        if current is None or verb == "create":
            return True
        return verb != "delete" and not self._changed(current, arguments, result)

    def _named(self, arguments: JsonObject, result: JsonObject) -> JsonObject | None:
        """The arguments with what the reader needs to find the thing; None where neither they nor the result say it."""
        schema = self.reader.tool.input_schema
        needed = schema.get("required", ("id",) if "id" in schema["properties"] else ())
        given = {name.lower(): value for name, value in {**arguments, **result}.items()}
        found = {name: given[name.lower()] for name in needed if given.get(name.lower()) is not None}
        return {**arguments, **found} if len(found) == len(needed) else None

    def _changed(self, current: JsonObject, arguments: JsonObject, result: JsonObject) -> bool:
        """Whether a field that was set has another value now. The API's own form of the value counts, where it said
        that; a write that may be repeated is repeated rather than taken for done."""
        repeatable = self.tool.annotations.get("idempotentHint")
        fields = {*arguments, STATUS} if self.tool.name.partition("_")[0] in MOVING else arguments.keys()
        said = {name: value for name, value in result.items() if name in fields}
        expected = {**arguments, **said} if repeatable else said
        set_now = {name: current[name] for name in expected.keys() - PLACES if name in current}
        return any(expected[name] not in (None, value) for name, value in set_now.items())


def check_of(tool: Tool, named: Mapping[str, Tool]) -> Check | None:
    """The check of what *tool* writes, if *named* has a tool that reads it."""
    verb, _, noun = tool.name.partition("_")
    if tool.name in INDIRECT or verb not in CHECKED:
        return None
    others = (named[name] for name in (f"delete_{noun}", f"update_{noun}") if name in named)
    readers = (reader_of(one, named) for one in ((tool, *others) if verb != "create" else others))
    reader = next((one for one in readers if one is not None), None)
    if reader is None or (reader.tool.name.startswith("list_") and tool.name not in LISTED):
        return None
    return Check(tool, reader)
