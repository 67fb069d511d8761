"""Box: what goes to Redis is sealed, and who it belongs to is hashed; whoever reads Redis learns nothing of customers.

Keys are derived from secrets that all replicas know, one for each purpose. The first secret is the current one: it
seals and names; what another one sealed can still be read, so that secrets can be changed while everything runs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .key_names import name_of, variants

NONCE = 12
NAME = 32


Secrets = str | Sequence[str]


class Broken(Exception):
    """Not sealed by us, or for something else."""


class Box:
    """Seals for one purpose: AES-256-GCM under a key of its own, bound to the *place* where the value stands."""

    __slots__ = ("_aead", "_names", "_readers")

    def __init__(self, secrets: Secrets, purpose: str) -> None:
        each = _each(secrets)
        self._readers = [AESGCM(_derived(secret, f"doit-mcp state {purpose} seal v1")) for secret in each]
        self._aead = self._readers[0]
        self._names = [_derived(secret, f"doit-mcp state {purpose} name v1") for secret in each]

    def name(self, text: str) -> str:
        """What stands for *text* in a key: always the same, and nothing can be read from it."""
        data = text.encode("utf-8", "surrogatepass")
        return name_of([hmac.new(key, data, hashlib.sha256).hexdigest()[:NAME] for key in self._names])

    def close(self, place: str, data: bytes) -> bytes:
        """*data*, sealed."""
        nonce = os.urandom(NONCE)
        return nonce + self._aead.encrypt(nonce, data, place.encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        """The data again; raises Broken."""
        places = variants(place)
        for number, reader in enumerate(self._readers):
            try:
                # Whoever seals binds the value to the place as it is called under that secret.
                return reader.decrypt(sealed[:NONCE], sealed[NONCE:], places[number % len(places)].encode())
            except (InvalidTag, ValueError):
                continue
        raise Broken

    def pack(self, place: str, value: Any) -> bytes:
        """A JSON value, sealed."""
        return self.close(place, orjson.dumps(value))

    def unpack(self, place: str, sealed: bytes) -> Any:
        """The JSON value again; raises Broken."""
        return orjson.loads(self.open(place, sealed))


def _derived(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()


def _each(secrets: Secrets) -> Sequence[str]:
    return (secrets,) if isinstance(secrets, str) else secrets


def prefix(secrets: Secrets) -> str:
    """What all our keys begin with: servers that do not share a secret do not meet, even in one Redis."""
    purpose = "doit-mcp state prefix v1"
    return name_of([f"doit-mcp:{_derived(secret, purpose).hex()[:12]}" for secret in _each(secrets)])
