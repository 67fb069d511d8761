"""Builders of the fixture's tools, schemas, results and client requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import ContentResult, Tool

JsonObject = dict[str, Any]
NO_ARGUMENTS: JsonObject = {"type": "object", "additionalProperties": False}
# A transparent pixel, and a quarter of a millisecond of silence.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
SILENCE = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA"
IMAGE: JsonObject = {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def text_result(text: str) -> ContentResult:
    """A result with one text block."""
    return ContentResult([{"type": "text", "text": text}])


def make_tool(
    name: str,
    description: str,
    run: Callable[[Call, JsonObject], Awaitable[ContentResult]],
    schema: JsonObject = NO_ARGUMENTS,
) -> Tool:
    """A read-only tool."""
    return Tool(
        name=name,
        title=description.partition(":")[0],
        description=description,
        input_schema=schema,
        run=run,
        annotations={"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
        area="conformance",
        # The suite has tasks that last a minute, which it cancels.
        deadline=120.0,
    )


def text_handler(text: str) -> Callable[[Call, JsonObject], Awaitable[ContentResult]]:
    """A handler that always returns this text."""

    async def run(call: Call, arguments: JsonObject) -> ContentResult:
        return text_result(text)

    return run


def blocks_handler(*blocks: JsonObject) -> Callable[[Call, JsonObject], Awaitable[ContentResult]]:
    """A handler that always returns these blocks."""

    async def run(call: Call, arguments: JsonObject) -> ContentResult:
        return ContentResult(list(blocks))

    return run


def object_schema(required: str = "", **properties: JsonObject) -> JsonObject:
    """The schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def elicitation_form(message: str, **properties: JsonObject) -> JsonObject:
    """Parameters of an elicitation whose fields are all required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"message": message, "requestedSchema": schema}


def sampling_request(text: str, max_tokens: int) -> JsonObject:
    """Parameters of a sampling request with one user message."""
    return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}], "maxTokens": max_tokens}
