"""Permissions of tools: which one an error names if the API forbids a call without a reason, and which tools the API
will refuse to a user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from .series import structured_content, with_structured
from .tool import ContentResult, Tool, ToolResult

MAX_PERMISSIONS, MAX_NAME_CHARACTERS = 500, 200
REFUSED_TOOLS_KEY = "refusedTools"
REFUSED_TOOLS_NOTE_KEY = "refusedToolsNote"
"""Members of the result of the tool that identifies the account."""


def with_permission_hint(tool: Tool) -> Tool:
    """Make *tool* name the documented permission if the API forbids a call without a reason."""
    permission = tool.facts.get("permission")
    if permission is None:
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        try:
            return await tool.run(call, arguments)
        except ApiError as error:
            if error.kind == "forbidden" and not error.reason:
                error.reason = f"this requires the permission {permission}"
            raise

    return replace(tool, run=run)


def read_permissions(validated: JsonObject) -> frozenset[str]:
    """Return the names of permissions in the response of the API, without malformed ones."""
    names = validated.get("permissions")
    valid = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return frozenset(name[:MAX_NAME_CHARACTERS] for name in valid[:MAX_PERMISSIONS])


def find_refused_tools(
    tools: Iterable[Tool], permissions: Collection[str]
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the tools that a user with these *permissions* cannot use, and those for which that is uncertain.

    Each item names the tool and the permission.
    """
    refused: list[JsonObject] = []
    uncertain: list[JsonObject] = []
    for tool in tools:
        permission = tool.facts.get("permission")
        if permission is None:
            continue
        is_granted = permission.is_granted(permissions)
        if not is_granted:
            (uncertain if is_granted is None else refused).append({"tool": tool.name, "permission": str(permission)})
    return refused, uncertain


def with_refused_tools(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return *tools*, with the names of refused tools in the result of the one that identifies the account."""
    return tuple(_with_refused_tools(tool, tools) if tool.facts.get("identifies_account") else tool for tool in tools)


def _with_refused_tools(tool: Tool, tools: Sequence[Tool]) -> Tool:
    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        result = await tool.run(call, arguments)
        if isinstance(result, ContentResult):
            return result
        account = structured_content(result)
        refused, uncertain = find_refused_tools(tools, read_permissions(account))
        return with_structured(result, {**account, **_refused_members(refused, uncertain)})

    return replace(tool, run=run)


def _refused_members(refused: Sequence[JsonObject], uncertain: Sequence[JsonObject]) -> JsonObject:
    """Return the members of a result about *refused* tools, and about *uncertain* ones, which can be most of them."""
    by_permission: dict[str, list[str]] = {}
    for item in refused:
        by_permission.setdefault(item["permission"], []).append(item["tool"])
    rows = [{"permission": permission, "tools": names} for permission, names in by_permission.items()]
    such = f", such as {uncertain[0]['tool']}" if uncertain else ""
    note = f"The API can also refuse other tools{such}, but the permissions do not show it."
    return ({REFUSED_TOOLS_KEY: rows} if rows else {}) | {REFUSED_TOOLS_NOTE_KEY: note}
