"""Parses what clients send: one message, or an array of messages."""

from __future__ import annotations

from typing import Any

from ..protocol.jsonrpc import Message, parse_json, parse_message
from ..resilience.compute_thread import run_in_thread_unless_full

# Longer payloads are parsed in a thread, so that they do not block the event loop.
MAX_INLINE_PARSE_BYTES = 128 << 10

# One message, or the unparsed members of an array.
Payload = Message | list[Any]


async def parse_payload(body: bytes) -> Payload:
    """Parse one message or an array. Raise RpcError -32700 or -32600, or LimitExceeded for a large body."""
    value = (
        parse_json(body) if len(body) <= MAX_INLINE_PARSE_BYTES else await run_in_thread_unless_full(parse_json, body)
    )
    return value if isinstance(value, list) else parse_message(value)
