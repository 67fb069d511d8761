"""Writing to event streams: one event as bytes, and a reader who takes nothing is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

# A client that takes nothing for this long is gone, or might as well be (security L3).
PATIENCE_S = 30.0
# Bytes that a connection on which nothing waits takes without waiting; half of what makes aiohttp wait.
AT_ONCE = 32 << 10
COMMENT = b": alive\n\n"


def event(data: bytes, id: str | None = None, name: bytes = b"message") -> bytes:
    """One server-sent event; serialized JSON holds no line break, so one data line carries it (security L7)."""
    start = b"" if id is None else b"id: " + id.encode() + b"\n"
    return start + b"event: " + name + b"\ndata: " + data + b"\n\n"


async def written(
    request: web.Request, writing: Coroutine[Any, Any, None], size: int, patience: float = PATIENCE_S
) -> bool:
    """Do the *writing* of *size* bytes; False where the reader has left, or took nothing for so many seconds.

    That one would never take the end of the stream either, and hold its connection for good.
    """
    transport = request.transport
    try:
        if transport is not None and size <= AT_ONCE and not transport.get_write_buffer_size():
            await writing
        else:
            async with asyncio.timeout(patience):
                await writing
    except ConnectionError:
        return False
    except TimeoutError:
        if transport is not None:
            transport.abort()
        return False
    return True
