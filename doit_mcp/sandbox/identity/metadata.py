"""Owns what the provider publishes about itself: RFC 8414 and OpenID Connect documents, and the key set."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from .models import AUTH_METHODS, SCOPES, JsonObject
from .responses import Handler, OAuthError, answer, for_programs, preflight
from .signing import Signing

AUTHORIZE = "/sign-in/oauth"
TOKEN = "/api/auth/token"
REGISTER = "/api/auth/register"
REVOKE = "/api/auth/revoke"
JWKS = "/.well-known/jwks.json"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = ("authorization_code", "refresh_token", TOKEN_EXCHANGE)
ASSERTION_ALGORITHMS = ("ES256", "RS256")


def document(issuer: str) -> JsonObject:
    """Authorization server metadata (RFC 8414 section 2, RFC 9207, client id metadata documents)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE,
        "token_endpoint": issuer + TOKEN,
        "registration_endpoint": issuer + REGISTER,
        "revocation_endpoint": issuer + REVOKE,
        "jwks_uri": issuer + JWKS,
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


def openid_document(issuer: str) -> JsonObject:
    """The same with the members that OpenID Connect Discovery 1.0 section 3 requires of every provider."""
    return {
        **document(issuer),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "scope"],
    }


def register(app: web.Application, issuer: str, signing: Signing, up: Callable[[], None]) -> None:
    """Add the documents and the key set; *up* raises OAuthError while the key set is to fail."""

    async def oauth(request: web.Request) -> web.StreamResponse:
        return answer(document(issuer), headers={"Cache-Control": "public, max-age=60"})

    async def openid(request: web.Request) -> web.StreamResponse:
        return answer(openid_document(issuer), headers={"Cache-Control": "public, max-age=60"})

    async def jwks(request: web.Request) -> web.StreamResponse:
        up()
        return answer(signing.jwks(), headers={"Cache-Control": "public, max-age=60"})

    paths: dict[str, Handler] = {
        "/.well-known/oauth-authorization-server": oauth,
        "/.well-known/openid-configuration": openid,
        JWKS: jwks,
    }
    for path, handler in paths.items():
        app.router.add_get(path, for_programs(handler))
        app.router.add_route("OPTIONS", path, preflight)


def unavailable() -> OAuthError:
    """What endpoints answer while a test makes the provider fail."""
    return OAuthError("temporarily_unavailable", "The identity provider is out of order.", status=503)
