"""OAuth clients, authorization requests and approvals, and the constants of their protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

AUTH_METHOD_NONE = "none"
AUTH_METHOD_SECRET_POST = "client_secret_post"
AUTH_METHOD_SECRET_BASIC = "client_secret_basic"
AUTH_METHOD_PRIVATE_KEY_JWT = "private_key_jwt"
AUTH_METHODS = (AUTH_METHOD_NONE, AUTH_METHOD_SECRET_POST, AUTH_METHOD_SECRET_BASIC, AUTH_METHOD_PRIVATE_KEY_JWT)

SCOPES = ("mcp:tools", "mcp:resources", "offline_access")
JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client: registered (RFC 7591) or described by a metadata document.

    *has_document* is true for the latter: then *id* is the URL of the document, and its host is verified.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    auth_methods: frozenset[str] = frozenset({AUTH_METHOD_NONE})
    has_document: bool = False
    secret_digest: str | None = field(default=None, repr=False)
    jwks: JsonObject | None = field(default=None, repr=False)
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid authorization request. *redirect_uri_sent* is false if the only registered URI is used by default.

    *query* is the original query string, used again after sign-in.
    """

    client: Client
    redirect_uri: str
    redirect_uri_sent: bool
    state: str | None
    challenge: str
    scopes: tuple[str, ...]
    resource: str | None
    prompt: frozenset[str]
    query: str


@dataclass(frozen=True, slots=True)
class Approval:
    """A user's consent for a client; *customer* is the tenant id ("" for none), *resource* is None for any."""

    client_id: str
    email: str
    customer: str
    scopes: tuple[str, ...]
    resource: str | None
