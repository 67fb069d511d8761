"""Reads the tool and the arguments of ``tools/call``."""

from __future__ import annotations

from typing import Any

from ...catalog.call import CUSTOMER_ARGUMENT
from ...catalog.discovery.tools import READ_ONLY
from ...catalog.employees import MAX_CUSTOMER_CHARACTERS
from ...catalog.tools.argument_coercion import NULL_WORDS
from ...catalog.tools.tool import Tool, ToolError
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError, parse_json, replace_empty_list
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread_unless_full
from ..audit import record_customer_change
from ..request_context import RequestContext

CUSTOMER_IGNORED = (
    f"{CUSTOMER_ARGUMENT} was ignored: this user has only one customer{{}}, and the result is about that one."
)
"""The notice to users who name a customer without being DoiT employees. DoiT's own server ignores the argument, too."""


def find_tool(context: RequestContext, request: Request) -> Tool:
    """Return the tool that *request* calls. Raise RpcError for an unknown one."""
    name = request.params.get("name")
    if not isinstance(name, str):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.name must be a string", id=request.id)
    tool = context.catalog.find_tool(name)
    if tool is None:
        is_excluded = name in context.catalog.excluded_writes
        problem = f"{name} {READ_ONLY}" if is_excluded else f"Unknown tool: {name[:80]}"
        raise RpcError(INVALID_PARAMS, problem, id=request.id)
    return tool


async def read_object(arguments: Any) -> JsonObject:
    """Return the *arguments* of a call as an object. Raise ToolError for any other value.

    They can be JSON text.
    """
    arguments = replace_empty_list(arguments)
    if isinstance(arguments, dict):
        return arguments
    if arguments is None:
        return {}
    if isinstance(arguments, str):
        value = await _parse_json_text(arguments)
        if not isinstance(value, str):
            return await read_object(value)
    raise ToolError(f"Invalid arguments: must be an object, not {short_json(arguments)}")


async def _parse_json_text(text: str) -> Any:
    """Return the value of JSON text, None for text that means no value, and other text unchanged."""
    if not text.strip() or text in NULL_WORDS:
        return None
    try:
        body = text.encode()
        return await run_in_thread_unless_full(parse_json, body) if is_large(text) else parse_json(body)
    except (RpcError, UnicodeEncodeError):
        return text


async def read_arguments(
    context: RequestContext, tool: Tool, arguments: JsonObject
) -> tuple[RequestContext, JsonObject]:
    """Return the context of the call and the parsed *arguments*. Raise ToolError.

    If an employee names a customer among the arguments, the returned context acts for that customer. For other users, who
    have only one, it has a notice that the argument was ignored.
    """
    customer = arguments.get(CUSTOMER_ARGUMENT) if CUSTOMER_ARGUMENT not in tool.input_schema["properties"] else None
    if context.customer_api_factory is None:
        if customer not in (None, "", context.tenant):
            context = context._replace(notice=CUSTOMER_IGNORED.format(f" ({context.tenant})" if context.tenant else ""))
    elif CUSTOMER_ARGUMENT in arguments and CUSTOMER_ARGUMENT not in tool.input_schema["properties"]:
        if not isinstance(customer, str) or not 0 < len(customer) <= MAX_CUSTOMER_CHARACTERS:
            raise ToolError(f"Invalid arguments: {CUSTOMER_ARGUMENT}: must be the id of a customer")
        record_customer_change(context, customer, "call")
        context = context._replace(api_factory=context.customer_api_factory(customer), tenant=customer)
    if is_large(arguments):
        arguments, problems = await run_in_thread_unless_full(tool.parse_arguments, arguments)
    else:
        arguments, problems = tool.parse_arguments(arguments)
    if problems:
        raise ToolError("Invalid arguments: " + "; ".join(problems))
    return context, arguments
