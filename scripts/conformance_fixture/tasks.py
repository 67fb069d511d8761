"""Tools that become tasks, for clients that support them."""

from __future__ import annotations

import asyncio

from doit_mcp.catalog.call import Call, Question
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError
from doit_mcp.protocol.jsonrpc import RpcError

from .builders import JsonObject, elicitation_form, make_tool, object_schema, text_result
from .client_requests import ELICIT, NAME_FORM, form_value

BOOLEAN: JsonObject = {"type": "boolean"}
# Outside the range reserved by JSON-RPC.
JOB_FAILED = 1001


async def greet(call: Call, arguments: JsonObject) -> ContentResult:
    return text_result(f"Hello, {arguments['name']}!")


async def slow_compute(call: Call, arguments: JsonObject) -> ContentResult:
    await call.run_in_background()
    await asyncio.sleep(arguments.get("seconds", 0))
    return text_result(f"Computed {arguments.get('label', 'it')}.")


async def failing_job(call: Call, arguments: JsonObject) -> ContentResult:
    await call.run_in_background(required=True)
    await asyncio.sleep(1)
    raise ToolError("The job failed, as it should.")


async def protocol_error_job(call: Call, arguments: JsonObject) -> ContentResult:
    await call.run_in_background()
    raise RpcError(JOB_FAILED, "The job broke the protocol, as it should")


async def confirm_delete(call: Call, arguments: JsonObject) -> ContentResult:
    await call.run_in_background()
    response = await call.ask("confirm", ELICIT, elicitation_form(f"Delete {arguments['filename']}?", confirm=BOOLEAN))
    return text_result(f"{arguments['filename']}: {response['action']}")


async def ask_two_questions(call: Call, arguments: JsonObject) -> ContentResult:
    await call.run_in_background()
    questions = {
        "name": Question(ELICIT, NAME_FORM),
        "consent": Question(ELICIT, elicitation_form("Do you agree?", confirm=BOOLEAN)),
    }
    responses = await call.ask_all(questions)
    return text_result(f"{form_value(responses['name'], 'name')} agreed.")


async def ask_then_run(call: Call, arguments: JsonObject) -> ContentResult:
    name = form_value(await call.ask("user_name", ELICIT, NAME_FORM), "name")
    await call.run_in_background(required=True)
    return text_result(f"Done for {name}.")


TOOLS: tuple[Tool, ...] = (
    make_tool("greet", "Greets at once", greet, object_schema("name", name={"type": "string"})),
    make_tool(
        "slow_compute",
        "Takes its time",
        slow_compute,
        object_schema(seconds={"type": "number", "minimum": 0, "maximum": 100}, label={"type": "string"}),
    ),
    make_tool("failing_job", "A job that fails", failing_job),
    make_tool("protocol_error_job", "A job that ends in a protocol error", protocol_error_job),
    make_tool(
        "confirm_delete", "A job that asks", confirm_delete, object_schema("filename", filename={"type": "string"})
    ),
    make_tool("multi_input", "A job that asks for two things at once", ask_two_questions),
    make_tool("test_tool_with_task", "Asks, then becomes a job", ask_then_run),
)
