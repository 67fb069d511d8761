"""Tokens that approve a prepared change: short, because models copy them, and signed."""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from ..protocol.base64url import decode_base64url, encode_base64url

HANDLE_CHARACTERS, HANDLE_BYTES = 24, 18
EXPIRY_BYTES, TAG_BYTES, SIGNATURE_BYTES = 5, 4, 12
TOKEN_BYTES = HANDLE_BYTES + EXPIRY_BYTES + TAG_BYTES + SIGNATURE_BYTES
MAX_TOKEN_CHARACTERS = 60
HASH_ALGORITHM = hashlib.sha256


class ApprovalToken(NamedTuple):
    """The content of a genuine token: the *handle* of the stored change, and when the token expires (epoch seconds).

    *owner_tag* identifies the user and the customer that it was made for.
    """

    handle: str
    expires_at: int
    owner_tag: bytes


class ApprovalTokens:
    """Makes and reads tokens. Signs with the first of *secrets* and accepts signatures of all of them."""

    def __init__(self, *secrets: str | bytes) -> None:
        keys = (secret.encode() if isinstance(secret, str) else secret for secret in secrets)
        self._keys = [hmac.new(key, b"doit-mcp approval tokens v1", HASH_ALGORITHM).digest() for key in keys]

    def make(self, handle: str, expires_at: int, owner: str, tenant: str) -> str:
        """Return the token for a stored change. *handle* is base64url of 18 bytes; raise ValueError for another one."""
        raw_handle = decode_base64url(handle)
        if raw_handle is None or len(raw_handle) != HANDLE_BYTES:
            raise ValueError("the handle must have 18 bytes, encoded as base64url")
        body = raw_handle + expires_at.to_bytes(EXPIRY_BYTES, "big") + self._owner_tag(self._keys[0], owner, tenant)
        return encode_base64url(body + self._sign(self._keys[0], body))

    def read(self, token: str) -> ApprovalToken | None:
        """Return the content of *token*; None if it was not made with these secrets, or was altered."""
        raw = decode_base64url(token) if len(token) <= MAX_TOKEN_CHARACTERS else None
        if raw is None or len(raw) != TOKEN_BYTES:
            return None
        body, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(signature, self._sign(key, body)) for key in self._keys):
            return None
        handle, rest = body[:HANDLE_BYTES], body[HANDLE_BYTES:]
        return ApprovalToken(encode_base64url(handle), int.from_bytes(rest[:EXPIRY_BYTES], "big"), rest[EXPIRY_BYTES:])

    def is_owned_by(self, token: ApprovalToken, owner: str, tenant: str) -> bool:
        """Return whether *token* was made for this user and customer."""
        return any(hmac.compare_digest(token.owner_tag, self._owner_tag(key, owner, tenant)) for key in self._keys)

    def _owner_tag(self, key: bytes, owner: str, tenant: str) -> bytes:
        owner_digest = HASH_ALGORITHM(owner.encode("utf-8", "surrogatepass")).digest()
        data = b"owner" + owner_digest + tenant.encode("utf-8", "surrogatepass")
        return hmac.new(key, data, HASH_ALGORITHM).digest()[:TAG_BYTES]

    def _sign(self, key: bytes, body: bytes) -> bytes:
        return hmac.new(key, b"token" + body, HASH_ALGORITHM).digest()[:SIGNATURE_BYTES]
