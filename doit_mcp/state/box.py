"""Box: what goes to Redis is sealed, and who it belongs to is hashed; whoever reads Redis learns nothing of customers.

Keys are derived from the secret that all replicas know, one for each purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12
NAME = 32


class Broken(Exception):
    """Not sealed by us, or for something else."""


class Box:
    """Seals for one purpose: AES-256-GCM under a key of its own, bound to the *place* where the value stands."""

    __slots__ = ("_aead", "_names")

    def __init__(self, secret: str, purpose: str) -> None:
        self._aead = AESGCM(_derived(secret, f"doit-mcp state {purpose} seal v1"))
        self._names = _derived(secret, f"doit-mcp state {purpose} name v1")

    def name(self, text: str) -> str:
        """What stands for *text* in a key: always the same, and nothing can be read from it."""
        return hmac.new(self._names, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:NAME]

    def close(self, place: str, data: bytes) -> bytes:
        """*data*, sealed."""
        nonce = os.urandom(NONCE)
        return nonce + self._aead.encrypt(nonce, data, place.encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        """The data again; raises Broken."""
        try:
            return self._aead.decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
        except (InvalidTag, ValueError) as wrong:
            raise Broken from wrong

    def pack(self, place: str, value: Any) -> bytes:
        """A JSON value, sealed."""
        return self.close(place, orjson.dumps(value))

    def unpack(self, place: str, sealed: bytes) -> Any:
        """The JSON value again; raises Broken."""
        return orjson.loads(self.open(place, sealed))


def _derived(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()


def prefix(secret: str) -> str:
    """What all our keys begin with: servers that do not share a secret do not meet, even in one Redis."""
    return f"doit-mcp:{_derived(secret, 'doit-mcp state prefix v1').hex()[:12]}"
