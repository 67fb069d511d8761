"""Handlers of ``prompts/list`` and ``prompts/get``."""

from __future__ import annotations

from ...api.errors import ApiError, explain
from ...catalog.call import MissingClientCapability, NoAnswer
from ...catalog.prompts.prompt import Prompt, PromptArgument
from ...catalog.tools.sanitize import sanitize_text
from ...catalog.tools.tool import ToolError
from ...protocol.content_blocks import downgrade_blocks
from ...protocol.downgrade import downgrade
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, JsonObject, Request, RpcError
from ...protocol.revisions import Revision
from ..auth_challenge import make_challenge
from ..request_context import RequestContext
from ..round_trip_state import run_round
from ..running_request import RunningRequest
from .pagination import paginate

DEADLINE_SECONDS = 45.0
MAX_ARGUMENT_LENGTH = 10_000


async def list_prompts(context: RequestContext, request: Request) -> JsonObject:
    """Return one page of the catalog's prompts."""
    listed = [_prompt_entry(prompt, context.caller.revision) for prompt in context.catalog.prompts]
    return paginate(context, request, "prompts", listed)


def _prompt_entry(prompt: Prompt, revision: Revision) -> JsonObject:
    arguments = [_argument_entry(argument) for argument in prompt.arguments]
    listed: JsonObject = {"name": prompt.name, "title": prompt.title, "description": prompt.description}
    return downgrade("Prompt", listed | ({"arguments": arguments} if arguments else {}), revision)


def _argument_entry(argument: PromptArgument) -> JsonObject:
    return {"name": argument.name, "description": argument.description, "required": argument.required}


async def get_prompt(context: RequestContext, request: Request) -> JsonObject:
    """Return the messages of a prompt with its arguments filled in."""
    prompt, arguments = read_prompt_request(context, request)

    async def work(call: RunningRequest) -> JsonObject:
        messages = await call.with_deadline(DEADLINE_SECONDS, prompt.render(call, arguments))
        fitted = [
            {**message, "content": downgrade_blocks([message["content"]], context.caller.revision)[0]}
            for message in messages
        ]
        return {"description": prompt.description, "messages": fitted}

    try:
        return await run_round(context, request, "", work)
    except ApiError as error:
        text = sanitize_text(explain(error, prompt.name))
        raise RpcError(INVALID_PARAMS, text, make_challenge(context, error) or None, id=request.id) from error
    except (ToolError, NoAnswer) as refusal:
        raise RpcError(INVALID_PARAMS, sanitize_text(str(refusal)), id=request.id) from refusal
    except TimeoutError as timeout:
        text = f"{prompt.name} did not finish within {DEADLINE_SECONDS:g} seconds; try again later"
        raise RpcError(INTERNAL_ERROR, text, id=request.id) from timeout
    except MissingClientCapability as missing:
        text = f"{prompt.name} needs to ask the user, which this client does not support"
        raise RpcError(INVALID_PARAMS, text, id=request.id) from missing


def read_prompt_request(context: RequestContext, request: Request) -> tuple[Prompt, dict[str, str]]:
    """Return the prompt and its arguments. Raise RpcError -32602 for an unknown prompt or invalid arguments."""
    name = request.params.get("name")
    prompt = context.catalog.prompts_by_name.get(name) if isinstance(name, str) else None
    if prompt is None:
        raise RpcError(INVALID_PARAMS, f"Unknown prompt: {short_json(name)}", id=request.id)
    arguments = request.params.get("arguments", {})
    if not isinstance(arguments, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.arguments must be an object", id=request.id)
    problems = [_argument_problem(argument, arguments) for argument in prompt.arguments]
    names = {argument.name for argument in prompt.arguments}
    problems += [
        f"{str(unknown)[:64]}: is not an argument of this prompt" for unknown in arguments if unknown not in names
    ]
    if reported := [problem for problem in problems if problem]:
        raise RpcError(INVALID_PARAMS, "Invalid arguments: " + "; ".join(reported[:20]), id=request.id)
    return prompt, {name: value for name, value in arguments.items() if value is not None}


def _argument_problem(argument: PromptArgument, arguments: JsonObject) -> str:
    value = arguments.get(argument.name)
    if value is None or value == "":
        return f"{argument.name}: is required" if argument.required else ""
    if not isinstance(value, str):
        return f"{argument.name}: must be text"
    return (
        f"{argument.name}: must have at most {MAX_ARGUMENT_LENGTH} characters"
        if len(value) > MAX_ARGUMENT_LENGTH
        else ""
    )
