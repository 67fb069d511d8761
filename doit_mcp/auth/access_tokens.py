"""Verification of access tokens, the identity provider's ES256 JWTs. It performs no I/O and reads no clock.

Three steps in this order: :func:`check_access_token` runs the cheap checks, :func:`find_signing_key` has PyJWT verify
the signature, and :func:`read_principal`, which may raise a 403, reads the claims of an authentic token.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ..protocol.endpoint_urls import is_endpoint
from ..protocol.jsonrpc import JsonObject
from .errors import REQUIRED_SCOPE, AuthError, invalid_token_error
from .jws import CompactJws, find_json_objects, parse_jws
from .principal import Principal

ALGORITHM = "ES256"
KEY_ID = "mcp-access"
LEEWAY_SECONDS = 5.0
"""Clock skew tolerated for ``iat`` and ``nbf``. ``exp`` gets none: the token exchange would refuse the token anyway."""
# The last second of the year 9999.
MAX_TIMESTAMP = 253_402_300_799.0
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the P-256 group (SEC 2, section 2.4.2)."""

MAX_EMAIL_LENGTH = 320
REQUIRED_TEXT_CLAIMS = ("customer_context", "cid", "flow_id", "jti")
# `_check_times` checks exp, iat and nbf: PyJWT compares them with the system clock, not with the caller's, and drops
# fractions of a second.
DECODER = jwt.PyJWT(
    {
        "require": ["exp", "iat", "iss", "aud", "sub", *REQUIRED_TEXT_CLAIMS],
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }
)


@dataclass(frozen=True, slots=True)
class AccessTokenRules:
    """What a token must name: *issuer*, compared exactly, and one of *resources*, this server's base URLs.

    Base URLs have no trailing slash. There are several if the server has several names, as on loopback.
    """

    issuer: str
    resources: tuple[str, ...]

    @classmethod
    def from_urls(cls, issuer: str, *resource_urls: str) -> AccessTokenRules:
        """Return the rules for configured URLs. *resource_urls* may end in a slash."""
        return cls(issuer, tuple(url.rstrip("/") for url in resource_urls))

    def matches_audience(self, audience: object) -> bool:
        """Return whether one value of ``aud`` is this server's URL or, in any spelling, that of one of its endpoints."""
        if not isinstance(audience, str):
            return False
        targets = (audience[len(base) :] for base in self.resources if audience.startswith(base))
        return any(target in ("", "/") or (target.startswith("/") and is_endpoint(target)) for target in targets)

    def match_audiences(self, audience: object) -> list[str]:
        """Return the matching values of an ``aud`` claim, or [] if a value is not a string (RFC 7519, 4.1.3)."""
        values = _as_list(audience)
        if not all(isinstance(value, str) for value in values):
            return []
        return [value for value in values if isinstance(value, str) and self.matches_audience(value)]


def looks_like_access_token(token: str, rules: AccessTokenRules) -> bool:
    """Return whether *token* is, claims to be, or contains an access token for this server, authentic or not.

    Such a token is accepted as an access token or refused; it is never sent to the DoiT API.
    """
    return any(_has_our_claims(members, rules) for members in find_json_objects(token))


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
    """Return the parts of *token* after all checks except that of the signature. *now* is in epoch seconds.

    Raise AuthError 401.
    """
    jws = parse_jws(token)
    if jws is None:
        raise invalid_token_error("The access token is malformed.")
    _check_header(jws.header)
    _check_times(jws.claims, now)
    _check_claims(jws.claims, rules)
    if not _is_well_formed_signature(jws.signature):
        raise invalid_token_error("The signature of the access token is malformed.")
    return jws


def _check_header(header: JsonObject) -> None:
    # Compared with constants, never used to look up a key. jwk, jku, x5u and x5c are not read at all.
    if header.get("kid") != KEY_ID or header.get("alg") != ALGORITHM:
        raise invalid_token_error("The token is not an access token of the DoiT console.")
    if "crit" in header or "b64" in header:
        raise invalid_token_error("The access token requires extensions that are not supported.")


def _check_times(claims: JsonObject, now: float) -> None:
    expires, issued = _read_timestamp(claims.get("exp")), _read_timestamp(claims.get("iat"))
    starts = _read_timestamp(claims["nbf"]) if "nbf" in claims else 0.0
    if expires is None or issued is None or starts is None:
        raise invalid_token_error("The access token lacks exp or iat, or one of its times is not a valid date.")
    if expires <= now:
        raise invalid_token_error("The access token has expired.")
    if issued - LEEWAY_SECONDS > now or starts - LEEWAY_SECONDS > now:
        raise invalid_token_error("The access token is not valid yet.")


def _read_timestamp(value: object) -> float | None:
    """Return *value* as epoch seconds, or None unless it is a NumericDate (RFC 7519, 2) between 1970 and 9999."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= MAX_TIMESTAMP else None


def _check_claims(claims: JsonObject, rules: AccessTokenRules) -> None:
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or issuer != rules.issuer:
        raise invalid_token_error("The access token was issued by another issuer.")
    if not rules.match_audiences(claims.get("aud")):
        raise invalid_token_error("The access token was issued for another resource.")
    if not isinstance(subject, str) or not subject:
        raise invalid_token_error("The access token has no subject.")
    if not all(isinstance(claims.get(name), str) for name in REQUIRED_TEXT_CLAIMS):
        raise invalid_token_error(f"The access token lacks one of {', '.join(REQUIRED_TEXT_CLAIMS)}.")


def _is_well_formed_signature(raw: bytes) -> bool:
    """Return whether *raw* is r and s, 32 bytes each and both in range (RFC 7518, section 3.4).

    Libraries have accepted a signature of zeros (CVE-2022-21449), so the range is not left to them.
    """
    if len(raw) != 64:
        return False
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    return 0 < r < P256_ORDER and 0 < s < P256_ORDER


def find_signing_key(
    jws: CompactJws, keys: Mapping[bytes, EllipticCurvePublicKey], rules: AccessTokenRules
) -> bytes | None:
    """Return the name of the key in *keys* that signed a checked token, or None if no key did.

    PyJWT verifies the signature and checks issuer, audience and required claims again on its own reading of the token.
    Raise AuthError 401 if its reading differs from :func:`check_access_token`.
    """
    audience = rules.match_audiences(jws.claims.get("aud"))
    for name, key in keys.items():
        try:
            DECODER.decode(jws.token, key, algorithms=[ALGORITHM], audience=audience, issuer=rules.issuer)
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError:
            raise invalid_token_error("The access token is malformed.") from None
        return name
    return None


def read_principal(jws: CompactJws) -> Principal:
    """Return the caller of an authentic token. Raise AuthError 403 if the token lacks the required scope."""
    claims = jws.claims
    scope = claims.get("scope")
    if not isinstance(scope, str) or REQUIRED_SCOPE not in scope.split(" "):
        raise AuthError(
            403, "insufficient_scope", f"The access token lacks the scope {REQUIRED_SCOPE}.", scope=REQUIRED_SCOPE
        )
    return Principal(
        subject=claims["sub"],
        customer=claims["customer_context"],
        # Only the JSON value true counts, not "true" or 1.
        employee=claims.get("doit_employee") is True,
        kind="jwt",
        token=jws.token,
        expires=float(claims["exp"]),
        email=_read_email(claims),
    )


def _read_email(claims: JsonObject) -> str:
    """Return the caller's email address for the audit log, or "" if the token has none."""
    for name in ("email", "sub"):
        value = claims.get(name)
        if isinstance(value, str) and "@" in value and len(value) <= MAX_EMAIL_LENGTH and value.isprintable():
            return value
    return ""
