"""JSON-RPC batches, which one revision has (2025-03-26, Overview, Batching)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..protocol.jsonrpc import INVALID_REQUEST, Message, Request, RpcError, error_bytes, message

MOST = 50
AT_ONCE = 8

# Answers one message of a batch: the bytes of its response, or None for what is not answered.
One = Callable[[Message], Awaitable[bytes | None]]


def messages(values: list[Any]) -> list[Message | RpcError]:
    """Every member of a batch read, a malformed one as its error; raises RpcError when the whole must be refused."""
    if not 0 < len(values) <= MOST:
        raise RpcError(INVALID_REQUEST, f"Invalid Request: a batch has 1 to {MOST} messages")
    read: list[Message | RpcError] = []
    seen: set[str | int] = set()
    for value in values:
        try:
            item = message(value)
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
    return read


async def answer_batch(read: list[Message | RpcError], one: One) -> bytes:
    """The array of responses, in the order of the requests."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def each(item: Message | RpcError) -> bytes | None:
        if isinstance(item, RpcError):
            return error_bytes(item, item.id)
        async with gate:
            return await one(item)

    answers = [answer for answer in await asyncio.gather(*map(each, read)) if answer is not None]
    return b"[" + b",".join(answers) + b"]"
