"""JSON-RPC batches, which only revision 2025-03-26 supports (Overview, Batching)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..catalog.discovery.tools import WRITE_TOOL
from ..catalog.employees import change_customer
from ..protocol.jsonrpc import INVALID_REQUEST, Message, Request, RpcError, error_bytes, parse_message
from .dispatcher import dispatch_request
from .request_context import RequestContext
from .sessions import Session

MAX_BATCH_MESSAGES = 50
MAX_CONCURRENT_BATCH_REQUESTS = 8
"""Requests of one batch that run at once. Each counts as one of the user's calls in flight."""


BATCHES_UNSUPPORTED = "Invalid Request: batches require a session whose protocol version supports them"


def check_batch_support(session: Session | None) -> Session:
    """Return *session* if its revision supports batches. Raise RpcError -32600 otherwise, or without a session."""
    if session is None or not session.caller.revision.supports("batches"):
        raise RpcError(INVALID_REQUEST, BATCHES_UNSUPPORTED)
    return session


def parse_batch(values: list[Any]) -> list[Message | RpcError]:
    """Parse every member of a batch, malformed ones to errors. Raise RpcError if the whole batch is refused."""
    if not 0 < len(values) <= MAX_BATCH_MESSAGES:
        raise RpcError(INVALID_REQUEST, f"Invalid Request: a batch has 1 to {MAX_BATCH_MESSAGES} messages")
    messages: list[Message | RpcError] = []
    ids: set[str | int] = set()
    for value in values:
        try:
            item = parse_message(value)
        except RpcError as error:
            messages.append(error)
            continue
        if isinstance(item, Request):
            if item.method == "initialize":
                raise RpcError(INVALID_REQUEST, "Invalid Request: initialize cannot be part of a batch")
            if item.id in ids:
                raise RpcError(INVALID_REQUEST, "Invalid Request: two requests in the batch have the same id")
            ids.add(item.id)
        messages.append(item)
    requests = [item for item in messages if isinstance(item, Request)]
    if len(requests) > 1 and any(map(_is_customer_change, requests)):
        # The requests of a batch share one context and run in any order, so their customer would be undefined.
        raise RpcError(
            INVALID_REQUEST,
            f"Invalid Request: {change_customer.__name__} cannot be part of a batch with other requests; send it alone,"
            " then the other requests after its response. Nothing was done.",
        )
    return messages


def _is_customer_change(request: Request) -> bool:
    name, arguments = request.params.get("name"), request.params.get("arguments")
    if name == WRITE_TOOL:
        # Arguments can be JSON text, which is parsed later: until then, it could name any operation.
        name = str(arguments.get("name")).strip() if isinstance(arguments, dict) else change_customer.__name__
    return request.method == "tools/call" and name == change_customer.__name__


def receive_if_no_requests(session: Session, batch: Sequence[Message | RpcError]) -> bool:
    """Handle a batch without a response. Return False, and handle nothing, if any member needs a response."""
    unanswered = [item for item in batch if not isinstance(item, (Request, RpcError))]
    if len(unanswered) < len(batch):
        return False
    for item in unanswered:
        session.receive(item)
    return True


async def run_batch(
    context: RequestContext, session: Session, batch: Sequence[Message | RpcError], max_concurrent: int
) -> tuple[int, bytes] | None:
    """Return the HTTP status and the array of responses in the order of the requests, or None if all were canceled.

    At most *max_concurrent* requests run at once. Each runs in *session* under its own id, as if sent alone.
    """
    slots, start_lock = asyncio.Semaphore(max_concurrent), asyncio.Lock()

    async def handle_item(item: Message | RpcError) -> bytes | None:
        if isinstance(item, RpcError):
            return error_bytes(item, item.id)
        if not isinstance(item, Request):
            session.receive(item)
            return None
        task = asyncio.current_task()
        assert task is not None
        try:
            session.start_request(item, task)
            async with slots:
                # Start one at a time, so that the event loop runs other requests in between.
                async with start_lock:
                    await asyncio.sleep(0)
                return (await dispatch_request(context, item))[1]
        except RpcError as error:
            return error_bytes(error, item.id)
        except asyncio.CancelledError:
            # The client canceled this request. If the whole batch is canceled, gather() still raises.
            return None

    responses = [response for response in await asyncio.gather(*map(handle_item, batch)) if response is not None]
    return (200, b"[" + b",".join(responses) + b"]") if responses else None
