"""Handlers of ``events/*``: event types, subscriptions and recent events (extension io.modelcontextprotocol/events)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ...events.errors import EventError
from ...events.event_types import EVENT_TYPES
from ...events.subscriptions import Subscriber, employee_error
from ...protocol import extensions
from ...protocol.jsonrpc import JsonObject, Request, RpcError
from ...resilience.unavailable import StateUnavailable
from ..audit import record_subscription
from ..request_context import Events, RequestContext
from .pagination import paginate


async def list_events(context: RequestContext, request: Request) -> JsonObject:
    """Return one page of the event types."""
    return paginate(context, request, "events", [declared.list_entry for declared in EVENT_TYPES.values()])


async def subscribe(context: RequestContext, request: Request) -> JsonObject:
    """Make or refresh a subscription, after its receiver confirmed that it wants events."""
    events, declares_extension = _require_events(context), extensions.is_named(context.caller, extensions.EVENTS)
    with _translated_errors(request, declares_extension):
        granted = await events.service.subscribe(_make_subscriber(context, events), request.params, declares_extension)
        record_subscription(context, granted.what, granted.id, event=request.params["name"], receiver=granted.host)
    return granted.result


async def unsubscribe(context: RequestContext, request: Request) -> JsonObject:
    """End a subscription. Its events that were not delivered yet are dropped."""
    events = _require_events(context)
    with _translated_errors(request, extensions.is_named(context.caller, extensions.EVENTS)):
        id = await events.service.unsubscribe(_make_subscriber(context, events), request.params)
        record_subscription(context, "unsubscribe", id, event=request.params["name"])
    return {}


async def poll(context: RequestContext, request: Request) -> JsonObject:
    """Return the events that were recorded since a cursor."""
    events = _require_events(context)
    with _translated_errors(request, extensions.is_named(context.caller, extensions.EVENTS)):
        return await events.service.poll(_make_subscriber(context, events), request.params)


def _require_events(context: RequestContext) -> Events:
    events = context.services.events
    assert events is not None  # checked by the dispatcher
    return events


def _make_subscriber(context: RequestContext, events: Events) -> Subscriber:
    if context.customer_api_factory is not None or context.actor is None:
        raise employee_error()
    return Subscriber(context.owner, context.tenant, partial(events.open_account, context.actor))


@contextmanager
def _translated_errors(request: Request, declares_extension: bool) -> Iterator[None]:
    """Raise errors of events as JSON-RPC errors, with the codes that the client reads."""
    try:
        yield
    except EventError as error:
        code = error.code(declares_extension)
        raise RpcError(code, error.message, error.data, id=request.id) from error
    except StateUnavailable as unavailable:
        code = EventError("exhausted", "").code(declares_extension)
        raise RpcError(code, str(unavailable), {"limit": "state"}, id=request.id) from unavailable
