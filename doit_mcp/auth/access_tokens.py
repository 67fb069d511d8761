"""Access tokens of the identity provider: what they must say, and which key signed them. No I/O, no clock of its own.

Three steps in this order: :func:`check` what costs little, :func:`signer`, and only for an authentic
token :func:`principal`, which may answer 403.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ..protocol.jsonrpc import JsonObject
from .errors import REQUIRED_SCOPE, AuthError, invalid_token_error
from .jws import CompactJws, find_json_objects, parse_jws
from .principal import Principal

ALGORITHM = "ES256"
KEY_ID = "mcp-access"
LEEWAY_SECONDS = 5.0
"""Seconds that our clock may be behind. None at the end of a token: the exchange would refuse it all the same."""
# The last second of the year 9999: beyond it a number is no date.
MAX_TIMESTAMP = 253_402_300_799.0
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the group of P-256 (SEC 2)."""

MAX_EMAIL_LENGTH = 320
REQUIRED_TEXT_CLAIMS = ("customer_context", "cid", "flow_id", "jti")
# Toolset paths: names, and lists of names whose commas clients may have encoded; never dots alone.
TOOLSET_PATH_PATTERN = re.compile(r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~,-]|%2[Cc])+)+/?")

ECDSA_SHA256 = ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class AccessTokenRules:
    """Whose tokens are ours: *issuer*, compared as it is, and *resource*, our own URL without trailing slash."""

    issuer: str
    resource: str

    @classmethod
    def from_urls(cls, issuer: str, resource_url: str) -> AccessTokenRules:
        """The rules for these two URLs as they are configured."""
        return cls(issuer, resource_url.rstrip("/"))

    def matches_audience(self, audience: object) -> bool:
        """Whether one value of ``aud`` is this server or one of its endpoints, compared whole."""
        if not isinstance(audience, str) or not audience.startswith(self.resource):
            return False
        path = audience[len(self.resource) :]
        if path in ("", "/", "/mcp", "/mcp/", "/sse", "/sse/"):
            return True
        return path.startswith("/mcp/") and TOOLSET_PATH_PATTERN.fullmatch(path[4:]) is not None


def looks_like_access_token(token: str, rules: AccessTokenRules) -> bool:
    """Whether *token* is, claims to be, or holds an access token for this server: then it is that or nothing.

    Such a token must never reach the DoiT API, be it authentic or not.
    """
    return any(_has_our_claims(seen, rules) for seen in find_json_objects(token))


def _has_our_claims(members: JsonObject, rules: AccessTokenRules) -> bool:
    if members.get("kid") == KEY_ID:
        return True
    issuer = rules.issuer.rstrip("/").lower()
    issuers = [value for value in _as_list(members.get("iss")) if isinstance(value, str)]
    if any(value.rstrip("/").lower() == issuer for value in issuers):
        return True
    return any(rules.matches_audience(value) for value in _as_list(members.get("aud")))


def _as_list(claim: object) -> list[object]:
    return claim if isinstance(claim, list) else [claim]


def check_access_token(token: str, rules: AccessTokenRules, now: float) -> CompactJws:
    """The parts of *token*, if only its signature is left to verify. Raises AuthError 401."""
    compact = parse_jws(token)
    if compact is None:
        raise invalid_token_error("The access token is malformed.")
    _check_header(compact.header)
    _check_times(compact.claims, now)
    _check_claims(compact.claims, rules)
    if not _is_well_formed_signature(compact.signature):
        raise invalid_token_error("The signature of the access token is malformed.")
    return compact


def _check_header(header: JsonObject) -> None:
    # Compared with constants and never used to look anything up; jwk, jku, x5u and x5c are not even read.
    if header.get("kid") != KEY_ID or header.get("alg") != ALGORITHM:
        raise invalid_token_error("The token is not an access token of the DoiT console.")
    if "crit" in header or "b64" in header:
        raise invalid_token_error("The access token demands extensions that are not supported.")


def _check_times(claims: JsonObject, now: float) -> None:
    expires, issued = _read_timestamp(claims.get("exp")), _read_timestamp(claims.get("iat"))
    starts = _read_timestamp(claims["nbf"]) if "nbf" in claims else 0.0
    if expires is None or issued is None or starts is None:
        raise invalid_token_error("The access token lacks exp or iat, or they are not dates.")
    if expires <= now:
        raise invalid_token_error("The access token has expired.")
    if issued - LEEWAY_SECONDS > now or starts - LEEWAY_SECONDS > now:
        raise invalid_token_error("The access token is not valid yet.")


def _read_timestamp(value: object) -> float | None:
    """Epoch seconds; None for what is no NumericDate (RFC 7519 section 2) of a calendar."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= MAX_TIMESTAMP else None


def _check_claims(claims: JsonObject, rules: AccessTokenRules) -> None:
    issuer, audience, subject = claims.get("iss"), claims.get("aud"), claims.get("sub")
    if not isinstance(issuer, str) or issuer != rules.issuer:
        raise invalid_token_error("The access token comes from another issuer.")
    audiences = _as_list(audience)
    if not all(isinstance(one, str) for one in audiences) or not any(rules.matches_audience(one) for one in audiences):
        raise invalid_token_error("The access token is meant for another resource.")
    if not isinstance(subject, str) or not subject:
        raise invalid_token_error("The access token names no subject.")
    if not all(isinstance(claims.get(name), str) for name in REQUIRED_TEXT_CLAIMS):
        raise invalid_token_error(f"The access token lacks one of {', '.join(REQUIRED_TEXT_CLAIMS)}.")


def _is_well_formed_signature(raw: bytes) -> bool:
    """64 bytes, and both halves in range (RFC 7518, 3.4): zeros once passed for signatures."""
    if len(raw) != 64:
        return False
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    return 0 < r < P256_ORDER and 0 < s < P256_ORDER


def find_signing_key(jws: CompactJws, keys: Mapping[bytes, EllipticCurvePublicKey]) -> bytes | None:
    """The name, in *keys*, of the key that signed a checked token; None if none of them did."""
    raw = jws.signature
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    for name, key in keys.items():
        try:
            key.verify(signature, jws.signing_input, ECDSA_SHA256)
        except InvalidSignature:
            continue
        return name
    return None


def read_principal(jws: CompactJws, token: str) -> Principal:
    """The caller of an authentic token. Raises AuthError 403 without the scope."""
    claims = jws.claims
    scope = claims.get("scope")
    if not isinstance(scope, str) or REQUIRED_SCOPE not in scope.split(" "):
        raise AuthError(
            403, "insufficient_scope", f"The access token lacks the scope {REQUIRED_SCOPE}.", scope=REQUIRED_SCOPE
        )
    return Principal(
        subject=claims["sub"],
        customer=claims["customer_context"],
        # Nothing but the JSON value true: "true" and 1 are no employees.
        employee=claims.get("doit_employee") is True,
        kind="jwt",
        token=token,
        expires=float(claims["exp"]),
        email=_read_email(claims),
    )


def _read_email(claims: JsonObject) -> str:
    """The e-mail address of the caller for the audit log, if there is one."""
    for name in ("email", "sub"):
        value = claims.get(name)
        if isinstance(value, str) and "@" in value and len(value) <= MAX_EMAIL_LENGTH and value.isprintable():
            return value
    return ""
