"""JSON-RPC batches, which one revision has (2025-03-26, Overview, Batching)."""

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
"""Requests of one batch that run at the same time, each in a place of its own among its user's calls in flight."""


def parse_batch(values: list[Any]) -> list[Message | RpcError]:
    """Every member of a batch read, a malformed one as its error; raises RpcError when the whole must be refused."""
    if not 0 < len(values) <= MAX_BATCH_MESSAGES:
        raise RpcError(INVALID_REQUEST, f"Invalid Request: a batch has 1 to {MAX_BATCH_MESSAGES} messages")
    read: list[Message | RpcError] = []
    seen: set[str | int] = set()
    for value in values:
        try:
            item = parse_message(value)
        except RpcError as error:
            read.append(error)
            continue
        if isinstance(item, Request):
            if item.method == "initialize":
                raise RpcError(INVALID_REQUEST, "Invalid Request: initialize cannot be part of a batch")
            if item.id in seen:
                raise RpcError(INVALID_REQUEST, "Invalid Request: two requests of the batch have the same id")
            seen.add(item.id)
        read.append(item)
    requests = [item for item in read if isinstance(item, Request)]
    if len(requests) > 1 and any(map(_is_customer_change, requests)):
        # The requests of a batch have one context and no order: none could say for which customer it is.
        raise RpcError(
            INVALID_REQUEST,
            f"Invalid Request: {change_customer.__name__} cannot be part of a batch with other requests; send it alone"
            " and the others after its answer. Nothing was done.",
        )
    return read


def _is_customer_change(request: Request) -> bool:
    name, arguments = request.params.get("name"), request.params.get("arguments")
    if name == WRITE_TOOL and isinstance(arguments, dict):
        name = arguments.get("name")
    return request.method == "tools/call" and name == change_customer.__name__


def receive_if_no_requests(session: Session, batch: Sequence[Message | RpcError]) -> bool:
    """Take a batch in which nothing is to be answered; False, and nothing taken, when something is."""
    unanswered = [item for item in batch if not isinstance(item, (Request, RpcError))]
    if len(unanswered) < len(batch):
        return False
    for item in unanswered:
        session.receive(item)
    return True


async def answer_batch(
    context: RequestContext, session: Session, batch: Sequence[Message | RpcError], max_concurrent: int
) -> tuple[int, bytes] | None:
    """HTTP status and the array of responses, in the order of the requests; None when all of them were cancelled.

    At most *max_concurrent* requests run at the same time. Each runs in *session* under its own id, as if it had come alone.
    """
    gate, beginning = asyncio.Semaphore(max_concurrent), asyncio.Lock()

    async def each(item: Message | RpcError) -> bytes | None:
        if isinstance(item, RpcError):
            return error_bytes(item, item.id)
        if not isinstance(item, Request):
            session.receive(item)
            return None
        task = asyncio.current_task()
        assert task is not None
        try:
            session.start_request(item, task)
            async with gate:
                # One at a time, so that other requests get their turn in between.
                async with beginning:
                    await asyncio.sleep(0)
                return (await dispatch_request(context, item))[1]
        except RpcError as error:
            return error_bytes(error, item.id)
        except asyncio.CancelledError:
            # By its client. When the whole batch is stopped, gather() says so all the same.
            return None

    answers = [one for one in await asyncio.gather(*map(each, batch)) if one is not None]
    return (200, b"[" + b",".join(answers) + b"]") if answers else None
