"""Writing to event streams: one event as bytes, and a reader who takes nothing is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

# A client that takes nothing for this long is gone, or might as well be.
WRITE_TIMEOUT_SECONDS = 30.0
# Bytes that a connection on which nothing waits takes without waiting; half of what makes aiohttp wait.
MAX_IMMEDIATE_WRITE_BYTES = 32 << 10
KEEPALIVE_COMMENT = b": alive\n\n"


def format_event(data: bytes, id: str | None = None, name: bytes = b"message") -> bytes:
    """One server-sent event; serialized JSON holds no line break, so one data line carries it."""
    start = b"" if id is None else b"id: " + id.encode() + b"\n"
    return start + b"event: " + name + b"\ndata: " + data + b"\n\n"


async def write_with_timeout(
    request: web.Request, write: Coroutine[Any, Any, None], size: int, timeout: float = WRITE_TIMEOUT_SECONDS
) -> bool:
    """Do the *write* of *size* bytes; False where the reader has left, or took nothing for so many seconds.

    That one would never take the end of the stream either, and hold its connection for good.
    """
    transport = request.transport
    try:
        if transport is not None and size <= MAX_IMMEDIATE_WRITE_BYTES and not transport.get_write_buffer_size():
            await write
        else:
            async with asyncio.timeout(timeout):
                await write
    except ConnectionError:
        return False
    except TimeoutError:
        if transport is not None:
            transport.abort()
        return False
    return True
