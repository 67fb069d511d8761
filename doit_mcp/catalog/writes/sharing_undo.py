"""The second call of the undo of a deletion: it restores the access of the users who had access to the object."""

from __future__ import annotations

import orjson

from ...api.areas.sharing import NO_ACCESS
from ...protocol.jsonrpc import JsonObject
from ..tools.tool import Tool
from .state_reader import SHARING_FIELDS, SHARING_UNREADABLE
from .undo_call import MAX_UNDO_BYTES

THEN_KEY = "then"
"""Member of an undo call with the call that follows it: {tool, arguments}."""
SHARING_TOOL = "update_resource_permissions"
NEXT = (
    f"Then restore who has access: call {SHARING_TOOL} with the arguments in {THEN_KEY} and the new id as resourceId."
)
TOO_LARGE = "The undo does not restore who has access: the list is too large for an undo call."


def with_sharing(undo: JsonObject, tool: Tool, before: JsonObject) -> JsonObject:
    """Return the *undo* of a deletion with the call that restores who had access *before*, or a note that no call does.

    An object that only its owner had access to needs neither.
    """
    shared_as = tool.facts.get("shared_as", "")
    if not shared_as:
        return undo
    if not before.keys() >= {*SHARING_FIELDS}:
        return _with_note(undo, SHARING_UNREADABLE)
    permissions, public = before["permissions"] or [], before["public"]
    if len(permissions) < 2 and not public:
        return undo
    arguments = {"resourceType": shared_as, "permissions": permissions, "public": public or NO_ACCESS}
    if len(orjson.dumps(arguments)) > MAX_UNDO_BYTES:
        return _with_note(undo, TOO_LARGE)
    return _with_note(undo, NEXT) | {THEN_KEY: {"tool": SHARING_TOOL, "arguments": arguments}}


def _with_note(undo: JsonObject, note: str) -> JsonObject:
    return {**undo, "note": f"{undo.get('note', '')} {note}".lstrip()}
