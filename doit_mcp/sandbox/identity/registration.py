"""Dynamic client registration (RFC 7591): validation of client metadata, and the response."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from . import redirect_uris
from .client_metadata_documents import client_name, parse_object
from .clients import ClientRegistry
from .models import (
    AUTH_METHOD_NONE,
    AUTH_METHOD_PRIVATE_KEY_JWT,
    AUTH_METHOD_SECRET_BASIC,
    AUTH_METHODS,
    SCOPES,
    Client,
    JsonObject,
)
from .responses import NO_STORE_HEADERS, OAuthError, json_response, read_body
from .ttl_store import hash_secret

MAX_REDIRECT_URIS = 20
_GRANT_TYPES = ("authorization_code", "refresh_token")
_TEXT_MEMBERS = ("client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri", "software_id", "software_version")


def _invalid_metadata_error(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)


def _read_text(requested: JsonObject, member: str) -> str | None:
    value = requested.get(member)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > redirect_uris.MAX_URI_LENGTH:
        raise _invalid_metadata_error(f"{member} is not a string of reasonable length.")
    return value


def _read_texts(requested: JsonObject, member: str) -> list[str] | None:
    value = requested.get(member)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > 50 or not all(isinstance(item, str) for item in value):
        raise _invalid_metadata_error(f"{member} is not a list of strings.")
    return value


def _redirect_uris(requested: JsonObject) -> list[str]:
    uris = requested.get("redirect_uris")
    if not isinstance(uris, list) or not 0 < len(uris) <= MAX_REDIRECT_URIS:
        raise OAuthError("invalid_redirect_uri", f"redirect_uris must list 1 to {MAX_REDIRECT_URIS} URIs.")
    for uri in uris:
        if problem := redirect_uris.find_problem(uri):
            raise OAuthError("invalid_redirect_uri", f"A URI in redirect_uris {problem}.")
    return uris


def _grant_types(requested: JsonObject) -> list[str]:
    # Unsupported grant types are dropped, as RFC 7591 section 2 allows.
    supported = [
        item for item in _read_texts(requested, "grant_types") or ["authorization_code"] if item in _GRANT_TYPES
    ]
    if "authorization_code" not in supported:
        raise _invalid_metadata_error("grant_types must contain authorization_code.")
    return supported


def _auth_metadata(requested: JsonObject) -> JsonObject:
    """Metadata about authentication at the token endpoint; the default is client_secret_basic (RFC 7591)."""
    method = _read_text(requested, "token_endpoint_auth_method") or AUTH_METHOD_SECRET_BASIC
    if method not in AUTH_METHODS:
        raise _invalid_metadata_error(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}.")
    jwks, jwks_uri = requested.get("jwks"), _read_text(requested, "jwks_uri")
    if jwks is not None and (not isinstance(jwks, dict) or jwks_uri is not None):
        raise _invalid_metadata_error("Send either jwks (an object) or jwks_uri, not both.")
    if method == AUTH_METHOD_PRIVATE_KEY_JWT and jwks is None and jwks_uri is None:
        raise _invalid_metadata_error("private_key_jwt requires jwks or jwks_uri.")
    return {"token_endpoint_auth_method": method, "jwks": jwks, "jwks_uri": jwks_uri}


def registered_metadata(requested: JsonObject) -> JsonObject:
    """The metadata to register for *requested*; raises OAuthError."""
    response_types = _read_texts(requested, "response_types") or ["code"]
    if "code" not in response_types:
        raise _invalid_metadata_error("response_types must contain code.")
    application_type = _read_text(requested, "application_type")
    if application_type not in (None, "web", "native"):
        raise _invalid_metadata_error("application_type must be web or native.")
    scope = _read_text(requested, "scope")
    members: dict[str, Any] = {
        **{member: _read_text(requested, member) for member in _TEXT_MEMBERS},
        "redirect_uris": _redirect_uris(requested),
        "grant_types": _grant_types(requested),
        "response_types": ["code"],
        "application_type": application_type,
        "contacts": _read_texts(requested, "contacts"),
        "scope": " ".join(item for item in SCOPES if item in scope.split()) if scope else None,
        **_auth_metadata(requested),
    }
    return {member: value for member, value in members.items() if value not in (None, "")}


class RegistrationEndpoint:
    """The registration endpoint. *token* generates ids and secrets."""

    def __init__(
        self, clients: ClientRegistry, clock: Callable[[], float], token: Callable[[], str] = secrets.token_urlsafe
    ) -> None:
        self._clients = clients
        self._clock = clock
        self._token = token

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Return 201 with the registered metadata; client secrets never expire."""
        requested = parse_object(await read_body(request))
        if requested is None:
            raise _invalid_metadata_error("Send the client metadata as a JSON object.")
        metadata = registered_metadata(requested)
        credentials: JsonObject = {"client_id": self._token(), "client_id_issued_at": int(self._clock())}
        method = metadata["token_endpoint_auth_method"]
        secret = None
        if method not in (AUTH_METHOD_NONE, AUTH_METHOD_PRIVATE_KEY_JWT):
            secret = self._token()
            credentials |= {"client_secret": secret, "client_secret_expires_at": 0}
        self._clients.add(
            Client(
                id=credentials["client_id"],
                name=client_name(metadata.get("client_name"), "Unnamed application"),
                redirect_uris=tuple(metadata["redirect_uris"]),
                auth_methods=frozenset({method}),
                secret_digest=hash_secret(secret) if secret is not None else None,
                jwks=metadata.get("jwks"),
                jwks_uri=metadata.get("jwks_uri"),
            )
        )
        return json_response({**credentials, **metadata}, status=201, headers=NO_STORE_HEADERS)
