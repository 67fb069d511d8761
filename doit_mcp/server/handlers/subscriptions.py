"""``subscriptions/listen``: one stream of the changes that a client wants to hear of (2026-07-28, Subscriptions)."""

from __future__ import annotations

from ...catalog.call import CannotAsk
from ...protocol import extensions
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError, notification_bytes
from ..message_queue import Outbox
from ..notification_hub import PROMPTS, RESOURCES, TASK, TOOLS, UPDATED, Change
from ..request_context import Context
from ..round_trip_state import unable
from .resources import check_subscriptions, locate

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
LISTS = {"toolsListChanged": TOOLS, "promptsListChanged": PROMPTS, "resourcesListChanged": RESOURCES}
MOST_NAMED = 100
MAX_BODY_BYTES = 64 << 10
"""Of a request that opens a stream, which holds it for as long as it is open."""


async def listen(context: Context, request: Request) -> JsonObject:
    """Acknowledge, then pass changes on until the client leaves or the server stops; then the (empty) result."""
    wanted = await _wanted(context, request)
    outbox = Outbox()
    meta = {SUBSCRIPTION: request.id}

    def hear(change: Change) -> None:
        if _concerns(wanted, change):
            outbox.put(notification_bytes(change.method, {**(change.params or {}), "_meta": meta}))

    if context.lease is not None:
        context.lease.on_end(outbox.close)
    with context.shared.hub.listening(context.owner, hear, outbox):
        acknowledged = {"notifications": wanted, "_meta": meta}
        await context.channel.send(notification_bytes("notifications/subscriptions/acknowledged", acknowledged))
        while (data := await outbox.get()) is not None:
            await context.channel.send(data)
    return {"_meta": meta}


async def _wanted(context: Context, request: Request) -> JsonObject:
    """What is asked for and can be had, as the acknowledgment names it."""
    asked = request.params.get("notifications")
    if not isinstance(asked, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.notifications must be an object", id=request.id)
    wanted: JsonObject = {}
    for name in LISTS:
        if asked.get(name) is True and context.offer.changing:
            wanted[name] = True
    if uris := _texts(request, asked, "resourceSubscriptions"):
        wanted["resourceSubscriptions"] = [uri for uri in uris if locate(context, uri) is not None]
    if tasks := _texts(request, asked, "taskIds"):
        if not extensions.declares(context.caller, extensions.TASKS):
            raise unable(request, CannotAsk(extensions.required(extensions.TASKS)))
        wanted["taskIds"] = [id for id in tasks if await context.shared.tasks.find(id, context.owner) is not None]
    return wanted


def _texts(request: Request, asked: JsonObject, name: str) -> list[str]:
    found = asked.get(name, [])
    if not isinstance(found, list) or len(found) > MOST_NAMED or not all(isinstance(one, str) for one in found):
        text = f"Invalid params: params.notifications.{name} must be a list of at most {MOST_NAMED} texts"
        raise RpcError(INVALID_PARAMS, text, id=request.id)
    check_subscriptions(request, found)
    return found


def _concerns(wanted: JsonObject, change: Change) -> bool:
    if change.method == UPDATED:
        return change.about in wanted.get("resourceSubscriptions", ())
    if change.method == TASK:
        return change.about in wanted.get("taskIds", ())
    return any(wanted.get(name) and method == change.method for name, method in LISTS.items())
