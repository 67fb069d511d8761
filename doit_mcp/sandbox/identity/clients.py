"""Client registry and client authentication: registered clients by id, clients with metadata documents by URL."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import jwt

from .assertions import AssertionVerifier
from .client_metadata_documents import ClientDocumentError, ClientDocuments, is_document_url
from .metadata import ASSERTION_ALGORITHMS
from .models import (
    AUTH_METHOD_NONE,
    AUTH_METHOD_PRIVATE_KEY_JWT,
    AUTH_METHOD_SECRET_BASIC,
    AUTH_METHOD_SECRET_POST,
    JWT_BEARER_ASSERTION,
    Client,
    JsonObject,
)
from .responses import OAuthError
from .signing import read_header
from .ttl_store import hash_secret

MAX_KEYS = 20
MIN_RSA_BITS = 2048
# Clients keep their registration, but the sandbox forgets it when it restarts.
_UNKNOWN_CLIENT = (
    "This application is not registered here; the sandbox forgets all registrations when it stops."
    " Remove the connection in your application and add it again."
)


def _invalid_client_error(description: str, *, basic: bool = False) -> OAuthError:
    challenge = 'Basic realm="token"' if basic else None
    return OAuthError("invalid_client", description, status=401, challenge=challenge)


class ClientRegistry:
    """Registered clients, at most *limit*: when full, the oldest client that never received a code is evicted."""

    def __init__(self, documents: ClientDocuments, assertions: AssertionVerifier, *, limit: int = 2_000) -> None:
        self._documents = documents
        self._assertions = assertions
        self._limit = limit
        self._registered: dict[str, Client] = {}
        # Unused clients are evicted first, so a flood of registrations cannot evict clients in use.
        self._unused: dict[str, None] = {}

    def add(self, client: Client) -> None:
        """Add a client; raises OAuthError (503) if the registry is full of clients in use."""
        if len(self._registered) >= self._limit:
            oldest = next(iter(self._unused), None)
            if oldest is None:
                raise OAuthError("temporarily_unavailable", "The client registry is full.", status=503)
            del self._unused[oldest], self._registered[oldest]
        self._registered[client.id] = client
        self._unused[client.id] = None

    def mark_used(self, client_id: str) -> None:
        """Protect this client from eviction: a user has approved it."""
        self._unused.pop(client_id, None)

    async def find(self, client_id: str) -> Client:
        """The client with this id; raises OAuthError (invalid_client)."""
        if client := self._registered.get(client_id):
            return client
        if not is_document_url(client_id):
            raise OAuthError("invalid_client", _UNKNOWN_CLIENT, status=401)
        try:
            return await self._documents.fetch_client(client_id)
        except ClientDocumentError as error:
            raise OAuthError("invalid_client", str(error), status=401) from error

    async def authenticate(self, authorization: str | None, form: Mapping[str, str]) -> Client:
        """Authenticate the client of a token request by one of its registered methods (RFC 6749 2.3).

        Raises OAuthError: invalid_request for several methods at once, invalid_client otherwise.
        """
        basic = _parse_basic(authorization)
        form_secret = form.get("client_secret")
        assertion = form.get("client_assertion")
        if sum(proof is not None for proof in (basic[1] if basic else None, form_secret, assertion)) > 1:
            raise OAuthError("invalid_request", "Use only one authentication method.")
        client_id = _client_id(basic, form)
        client = await self.find(client_id)
        if assertion is not None:
            await self._check_assertion(client, assertion, form.get("client_assertion_type"))
        elif (secret := basic[1] if basic and basic[1] is not None else form_secret) is not None:
            _check_secret(client, secret, basic=basic is not None)
        elif AUTH_METHOD_NONE not in client.auth_methods:
            raise _invalid_client_error("This client must authenticate.", basic=basic is not None)
        return client

    async def _check_assertion(self, client: Client, assertion: str, kind: str | None) -> None:
        if kind != JWT_BEARER_ASSERTION:
            raise OAuthError("invalid_request", "The client_assertion_type is not supported.")
        if AUTH_METHOD_PRIVATE_KEY_JWT not in client.auth_methods:
            raise _invalid_client_error("This client did not register the method private_key_jwt.")
        keys = _candidate_keys(await self._key_set(client), assertion)
        if problem := self._assertions.find_problem(assertion, client.id, keys, list(ASSERTION_ALGORITHMS)):
            raise _invalid_client_error(f"The client assertion is invalid: {problem}.")

    async def _key_set(self, client: Client) -> JsonObject:
        if client.jwks is not None:
            return client.jwks
        if client.jwks_uri is None:
            raise _invalid_client_error("This client has not published any keys.")
        try:
            return await self._documents.fetch_jwks(client.jwks_uri)
        except ClientDocumentError as error:
            raise _invalid_client_error(str(error)) from error


def _client_id(basic: tuple[str, str | None] | None, form: Mapping[str, str]) -> str:
    client_id = form.get("client_id") or _assertion_subject(form.get("client_assertion"))
    if basic is None:
        if client_id is None:
            raise _invalid_client_error("The client_id is missing.")
        return client_id
    if client_id is not None and client_id != basic[0]:
        raise OAuthError(
            "invalid_request", "The client_id in the form differs from the one in the Authorization header."
        )
    return basic[0]


def _assertion_subject(assertion: str | None) -> str | None:
    """The subject of an unverified assertion, which can replace the client_id parameter (RFC 7521 4.2)."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False}) if assertion is not None else {}
    except (jwt.PyJWTError, RecursionError):
        return None
    subject = claims.get("sub")
    return subject if isinstance(subject, str) else None


def _parse_basic(authorization: str | None) -> tuple[str, str | None] | None:
    """The id and secret of HTTP Basic, both form-encoded (RFC 6749 2.3.1); an empty secret counts as missing."""
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise _invalid_client_error("The Authorization header is not HTTP Basic.", basic=True) from error
    if not colon or not name:
        raise _invalid_client_error("The Authorization header is not HTTP Basic.", basic=True)
    return unquote_plus(name), unquote_plus(secret) or None


def _check_secret(client: Client, secret: str, *, basic: bool) -> None:
    # Both ways of sending the secret are accepted; libraries choose one by their own preference.
    if client.secret_digest is None or not client.auth_methods & {AUTH_METHOD_SECRET_BASIC, AUTH_METHOD_SECRET_POST}:
        raise _invalid_client_error("This client did not register a secret.", basic=basic)
    if not hmac.compare_digest(hash_secret(secret), client.secret_digest):
        raise _invalid_client_error("The client secret is wrong.", basic=basic)


def _candidate_keys(key_set: JsonObject, assertion: str) -> list[Any]:
    """The public keys of the set that could verify the assertion; invalid members are ignored (RFC 7517 5)."""
    kid = read_header(assertion).get("kid")
    members = key_set.get("keys")
    keys = []
    for member in members[:MAX_KEYS] if isinstance(members, list) else []:
        if not isinstance(member, dict) or member.get("kty") not in ("RSA", "EC"):
            continue
        if kid is not None and member.get("kid", kid) != kid:
            continue
        try:
            key = jwt.PyJWK(member)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if member["kty"] == "EC" or key.key.key_size >= MIN_RSA_BITS:
            keys.append(key)
    return keys
