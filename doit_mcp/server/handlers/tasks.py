"""Handlers of ``tasks/*``: state, answers to questions, cancellation (extension io.modelcontextprotocol/tasks)."""

from __future__ import annotations

from ...catalog.call import MissingClientCapability, NoAnswer
from ...protocol import extensions
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ..request_context import RequestContext
from ..round_trip_state import missing_capability_error
from ..task import Task


async def get_task(context: RequestContext, request: Request) -> JsonObject:
    """Return the task's state, with its result, error or open questions."""
    return (await _find_task(context, request)).detail


async def update_task(context: RequestContext, request: Request) -> JsonObject:
    """Accept answers to the task's questions. Their effect shows in the next ``tasks/get``."""
    task = await _find_task(context, request)
    answers = request.params.get("inputResponses")
    if not isinstance(answers, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.inputResponses must be an object", id=request.id)
    try:
        await context.services.tasks.accept_answers(task, answers)
    except NoAnswer as error:
        raise RpcError(INVALID_PARAMS, f"Invalid params: params.inputResponses: {error}", id=request.id) from None
    return {}


async def cancel_task(context: RequestContext, request: Request) -> JsonObject:
    """Cancel the task. A task that has ended does not change."""
    await context.services.tasks.stop(await _find_task(context, request))
    return {}


async def _find_task(context: RequestContext, request: Request) -> Task:
    # Checked before the lookup, so that clients without the extension cannot probe for task ids.
    if not extensions.is_declared(context.caller, extensions.TASKS):
        raise missing_capability_error(
            request, MissingClientCapability(extensions.required_capabilities(extensions.TASKS))
        )
    id = request.params.get("taskId")
    task = await context.services.tasks.find(id, context.owner) if isinstance(id, str) else None
    if task is None:
        raise RpcError(INVALID_PARAMS, "Invalid params: params.taskId is not one of your tasks", id=request.id)
    return task
