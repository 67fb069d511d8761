"""Handler of ``completion/complete``: suggestions for what the user is typing."""

from __future__ import annotations

from collections.abc import Mapping

from ...api.errors import ApiError, explain
from ...catalog.prompts.prompt import Completer
from ...catalog.tools.sanitize import sanitize_text
from ...catalog.tools.tool import ToolError
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError, invalid_params_error
from ..auth_challenge import make_challenge
from ..client_requests import NullAsker
from ..request_context import RequestContext
from ..running_request import RunningRequest

MAX_VALUES = 100
MAX_TYPED_CHARACTERS = 1_000
# Late suggestions are useless: the user has already typed more.
DEADLINE_SECONDS = 10.0


async def complete(context: RequestContext, request: Request) -> JsonObject:
    """Return at most 100 values for an argument of a prompt or a variable of a resource template."""
    argument = request.params.get("argument")
    if not isinstance(argument, dict) or not all(isinstance(argument.get(name), str) for name in ("name", "value")):
        raise invalid_params_error(request, 'params.argument must have a "name" and a "value", both text')
    completer = _find_completer(context, request, argument["name"])
    if completer is None:
        return _completion_result([])
    call = RunningRequest(context, request, "", NullAsker())
    try:
        work = completer(call, argument["value"][:MAX_TYPED_CHARACTERS], _context_arguments(request))
        return _completion_result(await call.with_deadline(DEADLINE_SECONDS, work))
    except (ApiError, ToolError, TimeoutError) as failure:
        if isinstance(failure, ApiError) and failure.kind == "credential":
            text = sanitize_text(explain(failure, "completion/complete"))
            raise RpcError(INVALID_PARAMS, text, make_challenge(context, failure) or None, id=request.id) from failure
        # Return no suggestions, so that a failure does not interrupt typing. The error shows when the value is used.
        return _completion_result([])


def _completion_result(values: list[str]) -> JsonObject:
    more = len(values) > MAX_VALUES
    sanitized = [sanitize_text(value) for value in values[:MAX_VALUES]]
    return {"completion": {"values": sanitized, "total": len(values), "hasMore": more}}


def _find_completer(context: RequestContext, request: Request, name: str) -> Completer | None:
    """Return the completer of an argument, or None if it has none.

    Raise RpcError -32602 if the prompt, template or argument does not exist.
    """
    ref = request.params.get("ref")
    if not isinstance(ref, dict):
        raise invalid_params_error(request, "params.ref must be an object")
    kind = ref.get("type")
    if kind == "ref/prompt":
        if not isinstance(prompt_name := ref.get("name"), str):
            raise invalid_params_error(request, "params.ref.name must be text")
        prompt = context.catalog.prompts_by_name.get(prompt_name)
        completers = {argument.name: argument.completer for argument in prompt.arguments} if prompt is not None else {}
    elif kind == "ref/resource":
        uri = ref.get("uri")
        template = next((item for item in context.catalog.resource_templates if item.uri_template == uri), None)
        completers = (
            {variable: template.completers.get(variable) for variable in template.variables}
            if template is not None
            else {}
        )
    else:
        raise invalid_params_error(
            request, 'params.ref must be {"type": "ref/prompt", "name"} or {"type": "ref/resource", "uri"}'
        )
    if name not in completers:
        raise invalid_params_error(request, "params.ref does not name a prompt or template that has this argument")
    return completers[name]


def _context_arguments(request: Request) -> Mapping[str, str]:
    completion_context = request.params.get("context")
    arguments = completion_context.get("arguments") if isinstance(completion_context, dict) else None
    if not isinstance(arguments, dict):
        return {}
    return {name: value for name, value in arguments.items() if isinstance(value, str)}
