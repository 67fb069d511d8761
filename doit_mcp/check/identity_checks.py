"""Checks of the identity provider: metadata, keys, registration of clients, PKCE and the token exchange."""

from __future__ import annotations

from ..auth.access_tokens import KEY_ID
from ..auth.jwks import InvalidKeySet, read_keys
from ..auth.token_exchange import REFUSED_ERROR_CODES, TOKEN_PATH
from ..protocol.jsonrpc import JsonObject
from .findings import Finding
from .observations import Observation, Reply, describe

OPENID_DOCUMENT = "/.well-known/openid-configuration"
PROVIDER = "The identity provider must"


def check_provider(issuer: str, reply: Observation) -> list[Finding]:
    """Check the authorization server metadata (RFC 8414), and what clients need from it."""
    document = reply.json_object() if isinstance(reply, Reply) and reply.status == 200 else None
    if document is None:
        advice = f"{PROVIDER} publish its metadata as JSON at this URL, without a redirect or a login."
        return [Finding("provider", "fail", describe(reply), advice)]
    if document.get("issuer") != issuer:
        seen = f"its metadata names the issuer {document.get('issuer')!r} instead of {issuer!r}"
        return [Finding("provider", "fail", seen, "Set AUTH_SERVER_URL to exactly this issuer.")]
    return [
        Finding("provider", "ok", issuer),
        _check_endpoints(document),
        _check_registration(document),
        _check_pkce(document),
        _check_refresh_tokens(document),
    ]


def _check_endpoints(document: JsonObject) -> Finding:
    missing = [name for name in ("authorization_endpoint", "token_endpoint") if not isinstance(document.get(name), str)]
    if missing:
        return Finding(
            "endpoints", "fail", f"no {' and no '.join(missing)}", f"{PROVIDER} publish {', '.join(missing)}."
        )
    return Finding("endpoints", "ok", "authorization and token endpoints are published")


def _check_registration(document: JsonObject) -> Finding:
    """ChatGPT, Claude and others register (RFC 7591), or publish a document whose URL is their client ID."""
    dynamic = isinstance(document.get("registration_endpoint"), str)
    documents = document.get("client_id_metadata_document_supported") is True
    if not dynamic and not documents:
        seen = "neither registration_endpoint nor client_id_metadata_document_supported"
        advice = f"{PROVIDER} offer dynamic registration or accept client ID metadata documents."
        return Finding("registration", "fail", seen, advice)
    if not dynamic and "none" not in _read_texts(document, "token_endpoint_auth_methods_supported"):
        return Finding(
            "registration",
            "warn",
            "client ID metadata documents, but token_endpoint_auth_methods_supported lacks none",
            f'{PROVIDER} advertise "none": Claude uses client ID metadata documents only then.',
        )
    ways = [*(["dynamic registration"] if dynamic else []), *(["client ID metadata documents"] if documents else [])]
    return Finding("registration", "ok", " and ".join(ways))


def _check_pkce(document: JsonObject) -> Finding:
    if "S256" in _read_texts(document, "code_challenge_methods_supported"):
        return Finding("pkce", "ok", "S256")
    advice = f"{PROVIDER} support PKCE and advertise it; MCP clients refuse to sign in otherwise."
    return Finding("pkce", "fail", "code_challenge_methods_supported does not contain S256", advice)


def _check_refresh_tokens(document: JsonObject) -> Finding:
    if "refresh_token" in _read_texts(document, "grant_types_supported"):
        return Finding("refresh-tokens", "ok", "clients stay signed in")
    advice = f"{PROVIDER} issue refresh tokens; otherwise users sign in again when their access token expires."
    return Finding("refresh-tokens", "warn", "grant_types_supported does not contain refresh_token", advice)


def _read_texts(document: JsonObject, member: str) -> list[str]:
    value = document.get(member)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def check_openid(reply: Observation) -> Finding:
    """Check that OpenID discovery returns JSON, or a JSON 404: anything else breaks discovery in some clients."""
    is_json = isinstance(reply, Reply) and reply.status in (200, 404) and reply.json_object() is not None
    if is_json:
        return Finding("openid", "ok", "discovery returns JSON")
    advice = f"{PROVIDER} return JSON with status 200 or 404; a login, a redirect or a page breaks some clients."
    return Finding("openid", "warn", f"{describe(reply)} is not JSON", advice)


def check_keys(reply: Observation) -> Finding:
    """Check the keys (RFC 7517): at least one for ES256 with the key ID of access tokens."""
    advice = f"{PROVIDER} publish an ES256 key (EC, P-256) with the key ID {KEY_ID}, and this computer has to reach it."
    if not isinstance(reply, Reply) or reply.status != 200:
        return Finding("keys", "fail", describe(reply), advice)
    try:
        count = len(read_keys(reply.json_object()))
    except InvalidKeySet as error:
        return Finding("keys", "fail", f"{reply.url}: {error}", advice)
    if not count:
        return Finding("keys", "fail", f"{reply.url} has no key {KEY_ID}", advice)
    return Finding("keys", "ok", f"{count} ES256 {'key' if count == 1 else 'keys'}")


def check_exchange(reply: Observation) -> Finding:
    """Check the response to an exchange of a token that is not valid: the provider must accept us and refuse the token."""
    code = (reply.json_object() or {}).get("error") if isinstance(reply, Reply) else None
    if isinstance(reply, Reply) and 400 <= reply.status < 500 and code in REFUSED_ERROR_CODES:
        return Finding("token-exchange", "ok", "the provider accepts this server's secret")
    if code in ("invalid_client", "unauthorized_client"):
        advice = (
            "Set MCP_TOKEN_EXCHANGE_SECRET to the secret that the identity provider has for this server, and compare the"
            " clocks."
        )
        return Finding("token-exchange", "fail", f"the provider refuses this server ({code})", advice)
    detail = f" ({code})" if isinstance(code, str) and code.isprintable() and len(code) <= 60 else ""
    advice = f"{PROVIDER} offer RFC 8693 at {TOKEN_PATH}, and this computer has to reach it."
    return Finding("token-exchange", "fail", describe(reply) + detail, advice)
