"""Permission hints: if the API forbids a call without a reason, the error names the documented permission."""

from __future__ import annotations

from dataclasses import replace

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from .tool import Tool, ToolResult


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
