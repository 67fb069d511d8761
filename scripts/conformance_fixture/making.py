"""Shorthand for the fixture's records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Content, Tool

JsonObject = dict[str, Any]
NO_ARGUMENTS: JsonObject = {"type": "object", "additionalProperties": False}
# One transparent pixel, and a quarter of a millisecond of silence.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
SILENCE = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA"
IMAGE: JsonObject = {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def text(words: str) -> Content:
    """A result of one text block."""
    return Content([{"type": "text", "text": words}])


def tool(
    name: str,
    description: str,
    run: Callable[[Call, JsonObject], Awaitable[Content]],
    schema: JsonObject = NO_ARGUMENTS,
) -> Tool:
    """A tool that reads nothing and changes nothing."""
    return Tool(
        name=name,
        title=description.partition(":")[0],
        description=description,
        input_schema=schema,
        run=run,
        annotations={"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
        area="conformance",
        # The suite has tasks of a minute, which it cancels.
        deadline=120.0,
    )


def says(words: str) -> Callable[[Call, JsonObject], Awaitable[Content]]:
    """A run that says always the same."""

    async def run(call: Call, arguments: JsonObject) -> Content:
        return text(words)

    return run


def gives(*blocks: JsonObject) -> Callable[[Call, JsonObject], Awaitable[Content]]:
    """A run that gives always these blocks."""

    async def run(call: Call, arguments: JsonObject) -> Content:
        return Content(list(blocks))

    return run


def an_object(required: str = "", **properties: JsonObject) -> JsonObject:
    """An object schema."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def form(message: str, **properties: JsonObject) -> JsonObject:
    """Parameters of an elicitation whose fields are all required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"message": message, "requestedSchema": schema}


def sample(words: str, most: int) -> JsonObject:
    """Parameters of a sampling request with one user message."""
    return {"messages": [{"role": "user", "content": {"type": "text", "text": words}}], "maxTokens": most}
