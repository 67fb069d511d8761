"""Tools without client requests: all kinds of content, log messages and progress."""

from __future__ import annotations

import asyncio

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError

from .builders import (
    IMAGE,
    SILENCE,
    JsonObject,
    blocks_handler,
    make_tool,
    object_schema,
    text_handler,
    text_result,
)

PAUSE_SECONDS = 0.05


def resource_block(uri: str, mime_type: str, text: str) -> JsonObject:
    """A text resource as a content block."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": text}}


async def log_messages(call: Call, arguments: JsonObject) -> ContentResult:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.send_log("info", message)
        await asyncio.sleep(PAUSE_SECONDS)
    return text_result("Logged three messages.")


async def report_progress(call: Call, arguments: JsonObject) -> ContentResult:
    for progress in (0, 50, 100):
        await call.report_progress(progress, 100)
        await asyncio.sleep(PAUSE_SECONDS)
    return text_result("Made progress.")


async def raise_tool_error(call: Call, arguments: JsonObject) -> ContentResult:
    raise ToolError("This tool intentionally returns an error for testing")


async def respond_after_release(call: Call, arguments: JsonObject) -> ContentResult:
    await call.release_connection()
    await asyncio.sleep(0.15)
    return text_result("Delivered after the connection was closed.")


DIALECT_SCHEMA: JsonObject = {
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
REGION_SCHEMA = object_schema(region={"type": "string", "description": "Where to go.", "x-mcp-header": "Region"})

# The suite uses the first listed tool for some of its probes.
TOOLS: tuple[Tool, ...] = (
    make_tool("test_simple_text", "Simple text", text_handler("This is a simple text response for testing.")),
    make_tool("test_image_content", "An image", blocks_handler(IMAGE)),
    make_tool(
        "test_audio_content", "A sound", blocks_handler({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"})
    ),
    make_tool(
        "test_embedded_resource",
        "An embedded resource",
        blocks_handler(
            resource_block("test://embedded-resource", "text/plain", "This is an embedded resource content.")
        ),
    ),
    make_tool(
        "test_multiple_content_types",
        "Several kinds of content",
        blocks_handler(
            {"type": "text", "text": "Multiple content types test:"},
            IMAGE,
            resource_block("test://mixed-content-resource", "application/json", '{"test": "data", "value": 123}'),
        ),
    ),
    make_tool("test_tool_with_logging", "Log messages on the way", log_messages),
    make_tool("test_tool_with_progress", "Progress on the way", report_progress),
    make_tool("test_error_handling", "Always an error", raise_tool_error),
    make_tool("test_reconnection", "An answer that has to be fetched", respond_after_release),
    make_tool("json_schema_2020_12_tool", "Arguments in the newest dialect", text_handler("Fits."), DIALECT_SCHEMA),
    make_tool("test_x_mcp_header", "An argument that a header repeats", text_handler("Routed."), REGION_SCHEMA),
    make_tool("test_logging_tool", "A log message, if the level allows it", log_messages),
)
