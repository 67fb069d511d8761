"""Dispatches JSON-RPC requests to the handlers of their methods and serializes the responses."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import orjson

from ..observability.trace import CURRENT_OPERATION, CURRENT_TRACE
from ..protocol.jsonrpc import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    JsonObject,
    Request,
    RpcError,
    error_bytes,
    result_bytes,
)
from ..protocol.revisions import LISTEN_METHOD
from .handlers import completion, events, lifecycle, log_level, prompts, resources, skills, subscriptions, tasks, tools
from .operation_record import CANCELED, TOOL_ERROR, begin_operation, end_operation
from .progress import check_progress_token
from .request_context import RequestContext

log = logging.getLogger(__name__)

# A handler that caches its complete, serialized result returns it as a fragment.
Handler = Callable[[RequestContext, Request], Awaitable[JsonObject | orjson.Fragment]]

HANDLERS: dict[str, Handler] = {
    "server/discover": lifecycle.discover,
    "ping": lifecycle.ping,
    "tools/list": tools.list_tools,
    "tools/call": tools.call_tool,
    "prompts/list": prompts.list_prompts,
    "prompts/get": prompts.get_prompt,
    "resources/list": resources.list_resources,
    "resources/templates/list": resources.list_resource_templates,
    "resources/read": resources.read_resource,
    "resources/subscribe": resources.subscribe,
    "resources/unsubscribe": resources.unsubscribe,
    "completion/complete": completion.complete,
    "logging/setLevel": log_level.set_level,
    LISTEN_METHOD: subscriptions.listen,
    "events/list": events.list_events,
    "events/subscribe": events.subscribe,
    "events/unsubscribe": events.unsubscribe,
    "events/poll": events.poll,
    "tasks/get": tasks.get_task,
    "tasks/update": tasks.update_task,
    "tasks/cancel": tasks.cancel_task,
    "skills/list": skills.list_skills,
    "skills/get": skills.get_skill,
    "resources/directory/read": skills.read_directory,
}

# Methods that never wait for the API or the client. They run inline: there is nothing to cancel, and nothing that
# could outlive the connection.
INLINE_METHODS = frozenset(
    "server/discover ping tools/list prompts/list resources/list resources/templates/list resources/subscribe"
    " resources/unsubscribe logging/setLevel tasks/get tasks/update tasks/cancel skills/list skills/get"
    " resources/directory/read events/list".split()
)


# Methods of capabilities that are declared only if the catalog has something to list, or the server sends events.
OPTIONAL_METHODS = frozenset(
    method for method in HANDLERS if method.startswith(("prompts/", "skills/", "resources/", "completion/", "events/"))
)


def supports_method(context: RequestContext, method: str) -> bool:
    """Return whether the catalog or the services have the capability that *method* belongs to."""
    catalog = context.catalog
    match method.partition("/")[0]:
        case "events":
            return context.services.events is not None
        case "prompts":
            return bool(catalog.prompts)
        case "skills":
            return bool(catalog.skills)
        case "resources":
            return bool(
                catalog.skills
                if "directory" in method
                else catalog.resources or catalog.resource_templates or catalog.skills
            )
        case "completion":
            return bool(catalog.prompts or catalog.resource_templates)
    return True


def find_handler(context: RequestContext, method: str) -> Handler:
    """Return the handler of *method*. Raise RpcError -32601 if the revision or the catalog does not have the method."""
    handler = HANDLERS.get(method) if method in context.caller.revision.requests else None
    if handler is None or (method in OPTIONAL_METHODS and not supports_method(context, method)):
        raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:80]}")
    return handler


def internal_error() -> RpcError:
    """Return the error for an unexpected exception: no details, only a reference that operators find in the log."""
    trace = CURRENT_TRACE.get()
    reference = f" (reference {trace.id})" if trace is not None else ""
    return RpcError(INTERNAL_ERROR, f"Internal error{reference}")


async def dispatch_request(context: RequestContext, request: Request) -> tuple[int, bytes]:
    """Return the HTTP status and body of the response to *request*.

    This is the only place where exceptions become JSON-RPC errors.
    """
    started, token, error_type = time.perf_counter(), None, CANCELED
    era = context.caller.revision.era
    method = request.method if request.method in HANDLERS else "other"
    if (trace := CURRENT_TRACE.get()) is not None:
        trace.method = method
    try:
        if "_meta" in request.params:
            meta = request.params["_meta"]
            token = begin_operation(trace, meta)
            check_progress_token(request, meta)
        result = await find_handler(context, request.method)(context, request)
        error_type = ""
        if not isinstance(result, orjson.Fragment):
            if "isError" in result and result["isError"]:
                error_type = TOOL_ERROR
            result = era.complete_result(result, context.catalog.server_identity)
        return 200, result_bytes(request.id, result)
    except RpcError as error:
        error_type = str(error.code)
        return era.http_status(error.code), error_bytes(error, request.id)
    except Exception:
        error_type = str(INTERNAL_ERROR)
        log.exception("a handler failed", extra=trace.log_fields if trace is not None else {})
        fault = internal_error()
        return era.http_status(fault.code), error_bytes(fault, request.id)
    finally:
        end_operation(context, request, method, error_type, started)
        if token is not None:
            CURRENT_OPERATION.reset(token)
