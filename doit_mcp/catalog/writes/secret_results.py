"""Secret results: those with a new token or another secret are shown once, and stored nowhere."""

from __future__ import annotations

from dataclasses import replace

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.tool import Tool, ToolError, ToolResult

NOT_REPEATED = (
    " Secrets are shown only once, so they are missing here. If the user has not received it, delete what was created and"
    " create it again."
)


def has_secrets(tool: Tool) -> bool:
    """Return whether results of *tool* have secrets."""
    return bool(tool.facts.get("secrets"))


def without_secrets(tool: Tool, result: JsonObject) -> JsonObject:
    """Return *result* without the members that the declaration of *tool* names as secrets."""
    secrets = tool.facts.get("secrets", ())
    return {name: value for name, value in result.items() if name not in secrets}


def with_withheld_result(tool: Tool) -> Tool:
    """Make *tool* keep results with secrets out of every store, or refuse to run where that is not possible."""
    if not has_secrets(tool):
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        if not call.withhold_result():
            raise ToolError(
                f"Nothing was changed: the result of {tool.name} contains a secret, which this connection would store."
                " Call it from a client with Streamable HTTP, and not as a task."
            )
        return await tool.run(call, arguments)

    return replace(tool, run=run)
