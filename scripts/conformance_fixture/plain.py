"""Tools that answer by themselves, with all kinds of content, log messages and progress."""

from __future__ import annotations

import asyncio

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Content, Tool, ToolError

from .making import IMAGE, SILENCE, JsonObject, an_object, gives, says, text, tool

PAUSE = 0.05


def embedded(uri: str, kind: str, words: str) -> JsonObject:
    """A text resource as a content block."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


async def with_logging(call: Call, arguments: JsonObject) -> Content:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log("info", words)
        await asyncio.sleep(PAUSE)
    return text("Logged three messages.")


async def with_progress(call: Call, arguments: JsonObject) -> Content:
    for done in (0, 50, 100):
        await call.progress(done, 100)
        await asyncio.sleep(PAUSE)
    return text("Made progress.")


async def fails(call: Call, arguments: JsonObject) -> Content:
    raise ToolError("This tool intentionally returns an error for testing")


async def reconnects(call: Call, arguments: JsonObject) -> Content:
    await call.release()
    await asyncio.sleep(0.15)
    return text("Delivered after the connection was let go.")


DIALECT: JsonObject = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "address",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contact": {"type": "string"},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}, {"required": ["name"]}]}],
    "if": {"properties": {"contact": {"const": "phone"}}, "required": ["contact"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["name"]},
    "additionalProperties": False,
}
REGION = an_object(region={"type": "string", "description": "Where to go.", "x-mcp-header": "Region"})

# The suite takes the first tool of the list for some of its probes.
TOOLS: tuple[Tool, ...] = (
    tool("test_simple_text", "Simple text", says("This is a simple text response for testing.")),
    tool("test_image_content", "An image", gives(IMAGE)),
    tool("test_audio_content", "A sound", gives({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"})),
    tool(
        "test_embedded_resource",
        "An embedded resource",
        gives(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    tool(
        "test_multiple_content_types",
        "Several kinds of content",
        gives(
            {"type": "text", "text": "Multiple content types test:"},
            IMAGE,
            embedded("test://mixed-content-resource", "application/json", '{"test": "data", "value": 123}'),
        ),
    ),
    tool("test_tool_with_logging", "Log messages on the way", with_logging),
    tool("test_tool_with_progress", "Progress on the way", with_progress),
    tool("test_error_handling", "Always an error", fails),
    tool("test_reconnection", "An answer that has to be fetched", reconnects),
    tool("json_schema_2020_12_tool", "Arguments in the newest dialect", says("Fits."), DIALECT),
    tool("test_x_mcp_header", "An argument that a header repeats", says("Routed."), REGION),
    tool("test_logging_tool", "A log message, if it is wanted", with_logging),
)
