"""Handler of ``subscriptions/listen``: a stream of the changes a client subscribed to (2026-07-28, Subscriptions)."""

from __future__ import annotations

from ...catalog.call import MissingClientCapability
from ...protocol import extensions
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError, notification_bytes
from ..message_queue import MessageQueue
from ..notification_hub import (
    PROMPTS_CHANGED,
    RESOURCE_UPDATED,
    RESOURCES_CHANGED,
    TASK_UPDATED,
    TOOLS_CHANGED,
    ChangeEvent,
)
from ..request_context import RequestContext
from ..round_trip_state import missing_capability_error
from .resources import check_subscription_bytes, locate_resource

SUBSCRIPTION_ID_KEY = "io.modelcontextprotocol/subscriptionId"
LIST_NOTIFICATIONS = {
    "toolsListChanged": TOOLS_CHANGED,
    "promptsListChanged": PROMPTS_CHANGED,
    "resourcesListChanged": RESOURCES_CHANGED,
}
MAX_FILTER_ITEMS = 100
MAX_BODY_BYTES = 64 << 10
"""Limit for a request that opens a stream, because the stream keeps the request while it is open."""


async def listen(context: RequestContext, request: Request) -> JsonObject:
    """Acknowledge, then send changes until the client disconnects, its credential ends or the server stops.

    Return an empty result.
    """
    accepted_filter = await _read_filter(context, request)
    queue = MessageQueue()
    meta = {SUBSCRIPTION_ID_KEY: request.id}

    def on_change(change: ChangeEvent) -> None:
        if _matches_filter(accepted_filter, change):
            queue.put(notification_bytes(change.method, {**(change.params or {}), "_meta": meta}))

    if context.lease is not None:
        context.lease.on_end(queue.close)
    with context.services.notification_hub.subscribe(context.owner, on_change, queue):
        acknowledged = {"notifications": accepted_filter, "_meta": meta}
        await context.channel.send(notification_bytes("notifications/subscriptions/acknowledged", acknowledged))
        while (data := await queue.get()) is not None:
            await context.channel.send(data)
    return {"_meta": meta}


async def _read_filter(context: RequestContext, request: Request) -> JsonObject:
    """Return the part of the requested filter that can be served, as the acknowledgment lists it."""
    requested = request.params.get("notifications")
    if not isinstance(requested, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.notifications must be an object", id=request.id)
    accepted: JsonObject = {}
    for name in LIST_NOTIFICATIONS:
        if requested.get(name) is True and context.catalog.can_change:
            accepted[name] = True
    if uris := _read_strings(request, requested, "resourceSubscriptions"):
        accepted["resourceSubscriptions"] = [uri for uri in uris if locate_resource(context, uri) is not None]
    if tasks := _read_strings(request, requested, "taskIds"):
        if not extensions.is_declared(context.caller, extensions.TASKS):
            raise missing_capability_error(
                request, MissingClientCapability(extensions.required_capabilities(extensions.TASKS))
            )
        accepted["taskIds"] = [id for id in tasks if await context.services.tasks.find(id, context.owner) is not None]
    return accepted


def _read_strings(request: Request, requested: JsonObject, name: str) -> list[str]:
    values = requested.get(name, [])
    if (
        not isinstance(values, list)
        or len(values) > MAX_FILTER_ITEMS
        or not all(isinstance(value, str) for value in values)
    ):
        text = f"Invalid params: params.notifications.{name} must be a list of at most {MAX_FILTER_ITEMS} texts"
        raise RpcError(INVALID_PARAMS, text, id=request.id)
    check_subscription_bytes(request, values)
    return values


def _matches_filter(accepted: JsonObject, change: ChangeEvent) -> bool:
    if change.method == RESOURCE_UPDATED:
        return change.subject in accepted.get("resourceSubscriptions", ())
    if change.method == TASK_UPDATED:
        return change.subject in accepted.get("taskIds", ())
    return any(accepted.get(name) and method == change.method for name, method in LIST_NOTIFICATIONS.items())
