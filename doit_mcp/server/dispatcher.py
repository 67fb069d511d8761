"""The table of handlers, and the one way from a request to the bytes of its answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import orjson

from ..observability.trace import CURRENT
from ..protocol.jsonrpc import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    JsonObject,
    Request,
    RpcError,
    error_bytes,
    result_bytes,
)
from .handlers import completion, lifecycle, log_level, prompts, resources, skills, subscriptions, tasks, tools
from .progress import check_token
from .request_context import Context, Offer

log = logging.getLogger(__name__)

# A handler that keeps its whole sealed answer serialized returns it as a fragment.
Handler = Callable[[Context, Request], Awaitable[JsonObject | orjson.Fragment]]

HANDLERS: dict[str, Handler] = {
    "server/discover": lifecycle.discover,
    "ping": lifecycle.ping,
    "tools/list": tools.list_tools,
    "tools/call": tools.call,
    "prompts/list": prompts.list_prompts,
    "prompts/get": prompts.get,
    "resources/list": resources.list_resources,
    "resources/templates/list": resources.list_templates,
    "resources/read": resources.read,
    "resources/subscribe": resources.subscribe,
    "resources/unsubscribe": resources.unsubscribe,
    "completion/complete": completion.complete,
    "logging/setLevel": log_level.set_level,
    "subscriptions/listen": subscriptions.listen,
    "tasks/get": tasks.get,
    "tasks/update": tasks.update,
    "tasks/cancel": tasks.cancel,
    "skills/list": skills.list_skills,
    "skills/get": skills.get,
    "resources/directory/read": skills.read_directory,
}

# Requests that wait for nobody: answered in place, with nothing to cancel and nothing to outlive the connection.
AT_ONCE = frozenset(
    "server/discover ping tools/list prompts/list resources/list resources/templates/list resources/subscribe"
    " resources/unsubscribe logging/setLevel tasks/get tasks/update tasks/cancel skills/list skills/get"
    " resources/directory/read".split()
)


# Methods of capabilities that are declared only where there is something to offer.
OPTIONAL = frozenset(
    method for method in HANDLERS if method.startswith(("prompts/", "skills/", "resources/", "completion/"))
)


def offers(offer: Offer, method: str) -> bool:
    """Whether the capability that *method* belongs to is offered at all (row 9 of the ladder)."""
    match method.partition("/")[0]:
        case "prompts":
            return bool(offer.prompts)
        case "skills":
            return bool(offer.skills)
        case "resources":
            return bool(offer.skills if "directory" in method else offer.resources or offer.templates or offer.skills)
        case "completion":
            return bool(offer.prompts or offer.templates)
    return True


def handler_of(context: Context, method: str) -> Handler:
    """What answers *method*; RpcError -32601 where nothing does, for this caller and this offer."""
    handler = HANDLERS.get(method) if method in context.caller.revision.requests else None
    if handler is None or (method in OPTIONAL and not offers(context.offer, method)):
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:80]}")
    return handler


def internal_error() -> RpcError:
    """The error for a bug of ours: no details, but a reference that an operator finds in the log."""
    trace = CURRENT.get()
    reference = f" (reference {trace.id})" if trace is not None else ""
    return RpcError(INTERNAL_ERROR, f"Internal error{reference}")


async def answer(context: Context, request: Request) -> tuple[int, bytes]:
    """HTTP status and body for *request*: the one place where a failure becomes a JSON-RPC error."""
    era = context.caller.revision.era
    if (trace := CURRENT.get()) is not None:
        trace.method = request.method if request.method in HANDLERS else "other"
    try:
        if "_meta" in request.params:
            check_token(request, request.params["_meta"])
        result = await handler_of(context, request.method)(context, request)
        if not isinstance(result, orjson.Fragment):
            result = era.seal(result, context.offer.identity)
        return 200, result_bytes(request.id, result)
    except RpcError as error:
        return era.status(error.code), error_bytes(error, request.id)
    except Exception:
        log.exception("a handler failed", extra=trace.facts if trace is not None else {})
        fault = internal_error()
        return era.status(fault.code), error_bytes(fault, request.id)
