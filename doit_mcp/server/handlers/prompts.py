"""``prompts/list`` and ``prompts/get``."""

from __future__ import annotations

from ...api.errors import ApiError, explain
from ...catalog.call import CannotAsk, NoAnswer
from ...catalog.prompts.prompt import Argument, Prompt
from ...catalog.tools.sanitize import visible_text
from ...catalog.tools.tool import ToolError
from ...protocol.content_blocks import fitting
from ...protocol.downgrade import fit
from ...protocol.json_schema import shown
from ...protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, JsonObject, Request, RpcError
from ...protocol.revisions import Revision
from ..auth_challenge import challenge_of
from ..request_context import Context
from ..round_trip_state import rounds
from ..running_request import RunningCall
from .pagination import page

DEADLINE = 45.0
MOST_ARGUMENT = 10_000


async def list_prompts(context: Context, request: Request) -> JsonObject:
    """One page of the prompts on offer."""
    listed = [_described(prompt, context.caller.revision) for prompt in context.offer.prompts]
    return page(context, request, "prompts", listed)


def _described(prompt: Prompt, revision: Revision) -> JsonObject:
    arguments = [_argument(argument) for argument in prompt.arguments]
    listed: JsonObject = {"name": prompt.name, "title": prompt.title, "description": prompt.description}
    return fit("Prompt", listed | ({"arguments": arguments} if arguments else {}), revision)


def _argument(argument: Argument) -> JsonObject:
    return {"name": argument.name, "description": argument.description, "required": argument.required}


async def get(context: Context, request: Request) -> JsonObject:
    """The messages of a prompt, its arguments filled in."""
    prompt, arguments = asked_for(context, request)

    async def work(call: RunningCall) -> JsonObject:
        messages = await call.within(DEADLINE, prompt.run(call, arguments))
        fitted = [
            {**message, "content": fitting([message["content"]], context.caller.revision)[0]} for message in messages
        ]
        return {"description": prompt.description, "messages": fitted}

    try:
        return await rounds(context, request, "", work)
    except ApiError as error:
        text = visible_text(explain(error, prompt.name))
        raise RpcError(INVALID_PARAMS, text, challenge_of(context, error) or None, id=request.id) from error
    except (ToolError, NoAnswer) as refusal:
        raise RpcError(INVALID_PARAMS, visible_text(str(refusal)), id=request.id) from refusal
    except TimeoutError as late:
        text = f"{prompt.name} did not finish within {DEADLINE:g} seconds; try again later"
        raise RpcError(INTERNAL_ERROR, text, id=request.id) from late
    except CannotAsk as missing:
        text = f"{prompt.name} has to ask the user, and this client cannot be asked"
        raise RpcError(INVALID_PARAMS, text, id=request.id) from missing


def asked_for(context: Context, request: Request) -> tuple[Prompt, dict[str, str]]:
    """The prompt and its arguments; RpcError -32602 for an unknown prompt, or arguments that are missing or wrong."""
    name = request.params.get("name")
    prompt = context.offer.prompt_named.get(name) if isinstance(name, str) else None
    if prompt is None:
        raise RpcError(INVALID_PARAMS, f"Unknown prompt: {shown(name)}", id=request.id)
    given = request.params.get("arguments", {})
    if not isinstance(given, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.arguments must be an object", id=request.id)
    problems = [_problem(argument, given) for argument in prompt.arguments]
    known = {argument.name for argument in prompt.arguments}
    problems += [f"{str(other)[:64]}: is not an argument of this prompt" for other in given if other not in known]
    if found := [problem for problem in problems if problem]:
        raise RpcError(INVALID_PARAMS, "Invalid arguments: " + "; ".join(found[:20]), id=request.id)
    return prompt, {name: value for name, value in given.items() if value is not None}


def _problem(argument: Argument, given: JsonObject) -> str:
    value = given.get(argument.name)
    if value is None or value == "":
        return f"{argument.name}: is required" if argument.required else ""
    if not isinstance(value, str):
        return f"{argument.name}: must be text"
    return f"{argument.name}: must have at most {MOST_ARGUMENT} characters" if len(value) > MOST_ARGUMENT else ""
