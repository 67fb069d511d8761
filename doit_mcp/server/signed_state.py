"""Signs state that a client must return unchanged, as the same caller, for the same purpose, before it expires."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import orjson

from ..protocol.base64url import decode_base64url, encode_base64url

MAX_SIGNED_BYTES = 64 << 10
HASH_ALGORITHM = hashlib.sha256
HASH_BYTES = 32


class StateSigner:
    """Signs and verifies state. State is authenticated, not encrypted: clients can read it (2026-07-28, MRTR)."""

    def __init__(self, *keys: bytes, clock: Callable[[], float] = time.time) -> None:
        """Sign with the first of *keys* and accept signatures of all of them. Raise ValueError for a short key."""
        if not keys or any(len(key) < HASH_BYTES for key in keys):
            raise ValueError("a signing key must have at least 32 bytes")
        self._keys = keys
        self._clock = clock

    @classmethod
    def from_secrets(cls, *secrets: str, clock: Callable[[], float] = time.time) -> StateSigner:
        """Derive keys for this purpose only. Every process with the same secrets derives the same keys."""
        keys = (hmac.new(secret.encode(), b"doit-mcp request state v1", HASH_ALGORITHM).digest() for secret in secrets)
        return cls(*keys, clock=clock)

    def sign(self, binding: bytes, value: Any, lifetime_seconds: float) -> str:
        """Return *value* (JSON), signed for *binding* and *lifetime_seconds*. Raise ValueError if it is too large."""
        body = orjson.dumps([int(self._clock() + lifetime_seconds), value])
        if len(body) > MAX_SIGNED_BYTES:
            raise ValueError("too large to be signed")
        return encode_base64url(self._compute_mac(self._keys[0], binding, body) + body)

    def verify(self, binding: bytes, signed: str) -> Any:
        """Return the signed value. Raise ValueError if the signature is invalid, for another binding, or expired."""
        if len(signed) > 2 * MAX_SIGNED_BYTES:
            raise ValueError("too long")
        raw = decode_base64url(signed)
        if raw is None:
            raise ValueError("not canonical base64url")
        mac, body = raw[:HASH_BYTES], raw[HASH_BYTES:]
        if not any(hmac.compare_digest(mac, self._compute_mac(key, binding, body)) for key in self._keys):
            raise ValueError("not ours")
        expires, value = orjson.loads(body)
        if self._clock() > expires:
            raise ValueError("expired")
        return value

    def _compute_mac(self, key: bytes, binding: bytes, body: bytes) -> bytes:
        return hmac.new(key, HASH_ALGORITHM(binding).digest() + body, HASH_ALGORITHM).digest()
