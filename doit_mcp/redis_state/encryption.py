"""Encrypts values and hashes names before they are stored in Redis, so that Redis reveals nothing about customers.

Session ids are encrypted as well if there is no Redis.

Keys are derived from secrets that all replicas have, one key for each purpose. The first secret is the current one: it
encrypts and hashes. Values encrypted with the other secrets can still be read, so secrets can be rotated without
downtime.
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


class DecryptionError(ValueError):
    """The value was not encrypted with these secrets, or for another context."""


class Encryptor:
    """Encrypts for one purpose, by AES-256-GCM with its own key. Each value is bound to a *context*, such as its key."""

    __slots__ = ("_aead", "_names", "_readers")

    def __init__(self, secrets: Secrets, purpose: str) -> None:
        secret_list = _secret_list(secrets)
        self._readers = [AESGCM(_derive_key(secret, f"doit-mcp state {purpose} seal v1")) for secret in secret_list]
        self._aead = self._readers[0]
        self._names = [_derive_key(secret, f"doit-mcp state {purpose} name v1") for secret in secret_list]

    def hash_name(self, text: str) -> str:
        """Return a keyed hash of *text* for use in key names. It is deterministic and not reversible."""
        data = text.encode("utf-8", "surrogatepass")
        return make_key_name([hmac.new(key, data, hashlib.sha256).hexdigest()[:NAME_CHARACTERS] for key in self._names])

    def encrypt(self, context: str, data: bytes) -> bytes:
        """Return *data*, encrypted."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, context.encode())

    def decrypt(self, context: str, ciphertext: bytes) -> bytes:
        """Return the plaintext. Raise DecryptionError."""
        contexts = name_variants(context)
        for number, reader in enumerate(self._readers):
            try:
                # A value is bound to the name of its context under the secret that encrypted it.
                return reader.decrypt(
                    ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], contexts[number % len(contexts)].encode()
                )
            except (InvalidTag, ValueError):
                continue
        raise DecryptionError

    def encrypt_json(self, context: str, value: Any) -> bytes:
        """Return *value* as encrypted JSON."""
        return self.encrypt(context, orjson.dumps(value))

    def decrypt_json(self, context: str, ciphertext: bytes) -> Any:
        """Return the JSON value in *ciphertext*. Raise DecryptionError."""
        return orjson.loads(self.decrypt(context, ciphertext))


def _derive_key(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()


def _secret_list(secrets: Secrets) -> Sequence[str]:
    return (secrets,) if isinstance(secrets, str) else secrets


def key_prefix(secrets: Secrets) -> str:
    """Return the prefix of all keys. Servers without a common secret have different ones, even in the same Redis."""
    purpose = "doit-mcp state prefix v1"
    return make_key_name([f"doit-mcp:{_derive_key(secret, purpose).hex()[:12]}" for secret in _secret_list(secrets)])
