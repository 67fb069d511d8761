"""Opaque pagination cursors: a position, bound to the list that it was issued for."""

from __future__ import annotations

import base64

from .jsonrpc import INVALID_PARAMS, RpcError


def encode_cursor(position: int, fingerprint: str) -> str:
    """Return a cursor for the page that starts at *position* of the list with this *fingerprint*."""
    return base64.urlsafe_b64encode(f"{position}:{fingerprint}".encode()).decode().rstrip("=")


def decode_cursor(cursor: object, fingerprint: str, length: int) -> int:
    """Return the position of a cursor. Raise RpcError -32602 for a cursor that was not issued for this list."""
    if cursor is None:
        return 0
    error = RpcError(
        INVALID_PARAMS, "Invalid params: params.cursor does not belong to this list; start without a cursor"
    )
    if not isinstance(cursor, str) or len(cursor) > 200 or not cursor.isascii():
        raise error
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise error from None
    digits = text.partition(":")[0]
    position = int(digits) if digits.isdecimal() else 0
    # Encode again and compare, because base64 and numbers can be written in several ways.
    if not 0 < position < length or encode_cursor(position, fingerprint) != cursor:
        raise error
    return position
