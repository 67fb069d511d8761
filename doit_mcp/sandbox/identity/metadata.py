"""Metadata documents of the identity provider: RFC 8414, OpenID Connect Discovery, and the key set."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from .models import AUTH_METHODS, SCOPES, JsonObject
from .responses import Handler, OAuthError, json_response, respond_to_preflight, with_error_responses
from .signing import SigningKeys

AUTHORIZE_PATH = "/sign-in/oauth"
TOKEN_PATH = "/api/auth/token"
REGISTER_PATH = "/api/auth/register"
REVOKE_PATH = "/api/auth/revoke"
JWKS_PATH = "/.well-known/jwks.json"
TOKEN_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = ("authorization_code", "refresh_token", TOKEN_EXCHANGE_GRANT)
ASSERTION_ALGORITHMS = ("ES256", "RS256")


def server_metadata(issuer: str) -> JsonObject:
    """Authorization server metadata (RFC 8414 section 2, RFC 9207, client ID metadata documents)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "registration_endpoint": issuer + REGISTER_PATH,
        "revocation_endpoint": issuer + REVOKE_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
        "request_uri_parameter_supported": False,
    }


def openid_metadata(issuer: str) -> JsonObject:
    """Server metadata plus the members required by OpenID Connect Discovery 1.0 section 3."""
    return {
        **server_metadata(issuer),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "scope"],
    }


def register(app: web.Application, issuer: str, signing: SigningKeys, check_available: Callable[[], None]) -> None:
    """Add the documents and the key set; *check_available* raises OAuthError to make the key set fail."""

    async def oauth(request: web.Request) -> web.StreamResponse:
        return json_response(server_metadata(issuer), headers={"Cache-Control": "public, max-age=60"})

    async def openid(request: web.Request) -> web.StreamResponse:
        return json_response(openid_metadata(issuer), headers={"Cache-Control": "public, max-age=60"})

    async def jwks(request: web.Request) -> web.StreamResponse:
        check_available()
        return json_response(signing.jwks(), headers={"Cache-Control": "public, max-age=60"})

    paths: dict[str, Handler] = {
        "/.well-known/oauth-authorization-server": oauth,
        "/.well-known/openid-configuration": openid,
        JWKS_PATH: jwks,
    }
    for path, handler in paths.items():
        app.router.add_get(path, with_error_responses(handler))
        app.router.add_route("OPTIONS", path, respond_to_preflight)


def unavailable_error() -> OAuthError:
    """The error of endpoints while a test makes the provider fail."""
    return OAuthError("temporarily_unavailable", "The identity provider is unavailable.", status=503)
