"""Owns the records that the parts of the identity provider hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

NONE = "none"
SECRET_POST = "client_secret_post"
SECRET_BASIC = "client_secret_basic"
PRIVATE_KEY_JWT = "private_key_jwt"
AUTH_METHODS = (NONE, SECRET_POST, SECRET_BASIC, PRIVATE_KEY_JWT)

SCOPES = ("mcp:tools", "mcp:resources", "offline_access")
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Client:
    """An application that asks for access: registered (RFC 7591), or described by its own metadata document.

    *documented* is true for the latter: then *id* is the URL the document came from, and its host is proven.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    auth_methods: frozenset[str] = frozenset({NONE})
    documented: bool = False
    secret_digest: str | None = field(default=None, repr=False)
    jwks: JsonObject | None = field(default=None, repr=False)
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A valid authorization request. *redirect_given* is false where the only registered address was meant.

    *query* is the request as it came, to be shown again after sign-in.
    """

    client: Client
    redirect_uri: str
    redirect_given: bool
    state: str | None
    challenge: str
    scopes: tuple[str, ...]
    resource: str | None
    prompt: frozenset[str]
    query: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person allowed a client to do; *customer* is the tenant id ("" for none), *resource* None for any."""

    client_id: str
    email: str
    customer: str
    scopes: tuple[str, ...]
    resource: str | None
