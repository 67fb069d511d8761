"""Opaque cursors of paginated lists: a position, tied to the list it was made for."""

from __future__ import annotations

import base64

from .jsonrpc import INVALID_PARAMS, RpcError


def encode(position: int, fingerprint: str) -> str:
    """A cursor for the page that starts at *position* of the list with this *fingerprint*."""
    return base64.urlsafe_b64encode(f"{position}:{fingerprint}".encode()).decode().rstrip("=")


def decode(cursor: object, fingerprint: str, length: int) -> int:
    """Where the page starts; RpcError -32602 for anything that :func:`encode` did not make for this list."""
    if cursor is None:
        return 0
    fault = RpcError(INVALID_PARAMS, "Invalid params: params.cursor is not a cursor of this list; start without one")
    if not isinstance(cursor, str) or len(cursor) > 200 or not cursor.isascii():
        raise fault
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise fault from None
    digits = text.partition(":")[0]
    position = int(digits) if digits.isdecimal() else 0
    # Made anew and compared: base64 has several spellings, numbers have leading zeros and foreign digits.
    if not 0 < position < length or encode(position, fingerprint) != cursor:
        raise fault
    return position
