"""Session ids that contain what a process needs to revive the session, encrypted and bound to the session's owner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ..protocol.base64url import decode_base64url, encode_base64url
from ..protocol.jsonrpc import JsonObject
from ..protocol.request_metadata import Caller, make_caller
from ..protocol.revisions import STATEFUL_REVISIONS
from .consents import now_milliseconds

LIFETIME_SECONDS = 7 * 86_400
"""How long after its start a session can be revived."""
MAX_ID_CHARACTERS = 1_500
# Of the client's name and version. Ids travel in a header of every request, so they must stay short.
MAX_CLIENT_CHARACTERS = 64
DIGEST_CHARACTERS = 32


class Encryption(Protocol):
    """Encrypts JSON with secrets that outlive the process. Each value is bound to a *context*."""

    def encrypt_json(self, context: str, value: Any) -> bytes:
        """Return *value*, encrypted and authenticated."""

    def decrypt_json(self, context: str, ciphertext: bytes) -> Any:
        """Return the value. Raise ValueError if it was encrypted for another context or with other secrets."""


class DescribedSession(NamedTuple):
    """What an id says about its session. *started_at* is in epoch milliseconds."""

    caller: Caller
    started_at: int


class SessionIds:
    """Issues and reads session ids. Every process with the same secrets reads the same ids."""

    def __init__(self, encryption: Encryption, clock: Callable[[], int] = now_milliseconds) -> None:
        """*clock* returns the current time in epoch milliseconds, on a clock that all processes share."""
        self._encryption, self._clock = encryption, clock

    def issue(self, owner: str, caller: Caller) -> str:
        """Return a new id, of at most MAX_ID_CHARACTERS, for a session of *owner*."""
        fields = [self._clock(), caller.revision.name, _shorten(caller.client_info), caller.capabilities]
        return encode_base64url(self._encryption.encrypt_json(owner, fields))

    def read(self, id: str, owner: str) -> DescribedSession | None:
        """Return what *id* describes, or None unless it was issued for *owner* and can still be revived."""
        ciphertext = decode_base64url(id) if len(id) <= MAX_ID_CHARACTERS else None
        if ciphertext is None:
            return None
        try:
            started_at, revision_name, client_info, capabilities = self._encryption.decrypt_json(owner, ciphertext)
        except ValueError:
            return None
        # A later release may have dropped the revision.
        revision = STATEFUL_REVISIONS.get(revision_name)
        if revision is None or self._clock() - started_at > LIFETIME_SECONDS * 1000:
            return None
        return DescribedSession(make_caller(revision, client_info, capabilities), started_at)


def hash_session_id(id: str) -> str:
    """Return a short name for *id*, which takes less memory and reveals nothing."""
    return hashlib.sha256(id.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _shorten(client_info: JsonObject) -> JsonObject:
    """Return the members that the DoiT API counts calls by."""
    return {name: client_info[name][:MAX_CLIENT_CHARACTERS] for name in ("name", "version") if name in client_info}
