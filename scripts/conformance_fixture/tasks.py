"""Tools that become tasks, where the client can follow them."""

from __future__ import annotations

import asyncio

from doit_mcp.catalog.call import Call, Question
from doit_mcp.catalog.tools.tool import Content, Tool, ToolError
from doit_mcp.protocol.jsonrpc import RpcError

from .asking import ELICIT, NAME, said
from .making import JsonObject, an_object, form, text, tool

YES: JsonObject = {"type": "boolean"}
# Outside the range that JSON-RPC keeps for itself.
JOB_FAILED = 1001


async def greet(call: Call, arguments: JsonObject) -> Content:
    return text(f"Hello, {arguments['name']}!")


async def slow_compute(call: Call, arguments: JsonObject) -> Content:
    await call.background()
    await asyncio.sleep(arguments.get("seconds", 0))
    return text(f"Computed {arguments.get('label', 'it')}.")


async def failing_job(call: Call, arguments: JsonObject) -> Content:
    await call.background(required=True)
    await asyncio.sleep(1)
    raise ToolError("The job failed, as it should.")


async def protocol_error_job(call: Call, arguments: JsonObject) -> Content:
    await call.background()
    raise RpcError(JOB_FAILED, "The job broke the protocol, as it should")


async def confirm_delete(call: Call, arguments: JsonObject) -> Content:
    await call.background()
    answer = await call.ask("confirm", ELICIT, form(f"Delete {arguments['filename']}?", confirm=YES))
    return text(f"{arguments['filename']}: {answer['action']}")


async def multi_input(call: Call, arguments: JsonObject) -> Content:
    await call.background()
    questions = {"name": Question(ELICIT, NAME), "consent": Question(ELICIT, form("Do you agree?", confirm=YES))}
    answers = await call.ask_all(questions)
    return text(f"{said(answers['name'], 'name')} agreed.")


async def asks_then_runs(call: Call, arguments: JsonObject) -> Content:
    name = said(await call.ask("user_name", ELICIT, NAME), "name")
    await call.background(required=True)
    return text(f"Done for {name}.")


TOOLS: tuple[Tool, ...] = (
    tool("greet", "Greets at once", greet, an_object("name", name={"type": "string"})),
    tool(
        "slow_compute",
        "Takes its time",
        slow_compute,
        an_object(seconds={"type": "number", "minimum": 0, "maximum": 100}, label={"type": "string"}),
    ),
    tool("failing_job", "A job that fails", failing_job),
    tool("protocol_error_job", "A job that ends in a protocol error", protocol_error_job),
    tool("confirm_delete", "A job that asks", confirm_delete, an_object("filename", filename={"type": "string"})),
    tool("multi_input", "A job that asks for two things at once", multi_input),
    tool("test_tool_with_task", "Asks, then becomes a job", asks_then_runs),
)
