"""Signatures of deliveries, by Standard Webhooks 1.0 (symmetric, ``v1``). No I/O."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64
MAX_SECRET_CHARACTERS = len(SECRET_PREFIX) + (MAX_KEY_BYTES + 2) // 3 * 4
TOLERANCE_SECONDS = 300
"""How far the timestamp of a message may be from the clock of its receiver."""


def parse_secret(secret: object) -> bytes:
    """Return the key in *secret*. Raise ValueError, which does not quote it."""
    problem = f"must be {SECRET_PREFIX} followed by base64 of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes"
    if not isinstance(secret, str) or not secret.startswith(SECRET_PREFIX) or len(secret) > MAX_SECRET_CHARACTERS:
        raise ValueError(problem)
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(problem) from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(problem)
    return key


def sign_message(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature: ``v1,`` and the base64 of the HMAC. *timestamp* is in epoch seconds."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(parse_secret(secret), signed, "sha256")).decode()


def make_signature_headers(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of Standard Webhooks, with one signature for each of *secrets*."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign_message(secret, message_id, timestamp, body) for secret in secrets),
    }


def is_signed(secret: str, message_id: str, timestamp: str, signatures: str, body: bytes, now: float) -> bool:
    """Return whether one of *signatures*, a header, is that of *secret*, and *timestamp* is close to *now*."""
    # Header values with other bytes contain surrogates, which cannot be encoded.
    if not all(text.isascii() for text in (message_id, timestamp, signatures)):
        return False
    if not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = sign_message(secret, message_id, int(timestamp), body).encode()
    return any(hmac.compare_digest(expected, given.encode()) for given in signatures.split(" ")[:10])
