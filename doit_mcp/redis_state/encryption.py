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

from .key_names import make_key_name, name_variants

NONCE_BYTES = 12
NAME_CHARACTERS = 32


Secrets = str | Sequence[str]


class DecryptionError(Exception):
    """Not sealed by us, or for something else."""


class Encryptor:
    """Seals for one purpose: AES-256-GCM under a key of its own, bound to the *place* where the value stands."""

    __slots__ = ("_aead", "_names", "_readers")

    def __init__(self, secrets: Secrets, purpose: str) -> None:
        each = _secret_list(secrets)
        self._readers = [AESGCM(_derive_key(secret, f"doit-mcp state {purpose} seal v1")) for secret in each]
        self._aead = self._readers[0]
        self._names = [_derive_key(secret, f"doit-mcp state {purpose} name v1") for secret in each]

    def hash_name(self, text: str) -> str:
        """What stands for *text* in a key: always the same, and nothing can be read from it."""
        data = text.encode("utf-8", "surrogatepass")
        return make_key_name([hmac.new(key, data, hashlib.sha256).hexdigest()[:NAME_CHARACTERS] for key in self._names])

    def encrypt(self, context: str, data: bytes) -> bytes:
        """*data*, sealed."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, context.encode())

    def decrypt(self, context: str, ciphertext: bytes) -> bytes:
        """The data again; raises Broken."""
        places = name_variants(context)
        for number, reader in enumerate(self._readers):
            try:
                # Whoever seals binds the value to the place as it is called under that secret.
                return reader.decrypt(
                    ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], places[number % len(places)].encode()
                )
            except (InvalidTag, ValueError):
                continue
        raise DecryptionError

    def encrypt_json(self, context: str, value: Any) -> bytes:
        """A JSON value, sealed."""
        return self.encrypt(context, orjson.dumps(value))

    def decrypt_json(self, context: str, ciphertext: bytes) -> Any:
        """The JSON value again; raises Broken."""
        return orjson.loads(self.decrypt(context, ciphertext))


def _derive_key(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()


def _secret_list(secrets: Secrets) -> Sequence[str]:
    return (secrets,) if isinstance(secrets, str) else secrets


def key_prefix(secrets: Secrets) -> str:
    """What all our keys begin with: servers that do not share a secret do not meet, even in one Redis."""
    purpose = "doit-mcp state prefix v1"
    return make_key_name([f"doit-mcp:{_derive_key(secret, purpose).hex()[:12]}" for secret in _secret_list(secrets)])
