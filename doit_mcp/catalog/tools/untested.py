"""Untested tools: if a declaration says that a tool may not work, its description, results and errors say so too."""

from __future__ import annotations

from dataclasses import replace

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from .series import structured_content, with_structured
from .tool import ContentResult, Tool, ToolResult

UNTESTED_KEY = "untested"
"""Member of results, with the reason why the tool may not work."""
MISSING_ADVICE = (
    "There is no object with this id, or the API does not have this operation. Look up the id; if it is right, do not"
    " repeat the call."
)
"""Advice on a 404, which both an untested path and an unknown id can cause."""
UNTESTED_SCHEMA: JsonObject = {"type": "string", "description": "Why this result may be wrong. Tell the user."}


def is_untested(tool: Tool) -> bool:
    """Return whether the declaration of *tool* says that it may not work, so that only the discovery tools run it."""
    return bool(tool.facts.get("untested"))


def with_untested_note(tool: Tool) -> Tool:
    """Make an untested tool say so wherever a model reads about it; return any other *tool* unchanged."""
    reason = tool.facts.get("untested")
    if not reason:
        return tool

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        try:
            result = await tool.run(call, arguments)
        except ApiError as error:
            error.reason = f"{error.reason.rstrip('.')}. Untested: {reason}" if error.reason else f"Untested: {reason}"
            if error.kind == "missing":
                error.advice = MISSING_ADVICE
            raise
        if isinstance(result, ContentResult):
            return replace(result, blocks=[*result.blocks, {"type": "text", "text": f"Untested: {reason}"}])
        return with_structured(result, {**structured_content(result), UNTESTED_KEY: reason})

    schema = tool.output_schema or {"type": "object", "properties": {}}
    return replace(
        tool,
        run=run,
        description=f"{tool.description.rstrip('.')}. Untested: {reason}",
        output_schema={**schema, "properties": {**schema["properties"], UNTESTED_KEY: UNTESTED_SCHEMA}},
    )
