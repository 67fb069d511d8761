"""Signing keys of the identity provider: the key set, rotation, signing and verification."""

from __future__ import annotations

import json
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from jwt.types import Options

from .models import JsonObject

ACCESS_KID = "mcp-access"
ID_TOKEN_KID = "id-token"
Purpose = Literal["mcp-access", "id-token"]

# Verify only the signature: callers check the claims with the provider's clock.
SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _public_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> JsonObject:
    members: JsonObject = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    members.pop("key_ops", None)
    return {**members, "kid": kid, "use": "sig", "alg": "ES256"}


def read_header(token: str) -> JsonObject:
    """The unverified header of a compact JWT; empty if it cannot be parsed."""
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):
        return {}


def verify(token: str, key: Any, algorithms: list[str]) -> JsonObject | None:
    """The claims of a compact JWT with a valid signature, otherwise unchecked; else None."""
    try:
        return jwt.decode(token, key, algorithms=algorithms, options=SIGNATURE_ONLY)
    except (jwt.PyJWTError, RecursionError):
        # Deeply nested JSON is parsed before the signature is verified.
        return None


class SigningKeys:
    """ES256 keys by purpose. The access key's id is always "mcp-access": rotation changes only the key."""

    def __init__(self) -> None:
        self._access = [ec.generate_private_key(ec.SECP256R1())]
        self._id_token = ec.generate_private_key(ec.SECP256R1())

    def rotate(self, *, keep: bool = False) -> None:
        """Sign access tokens with a new key from now on; *keep* leaves the former keys published and valid."""
        self._access = [ec.generate_private_key(ec.SECP256R1()), *(self._access if keep else ())]

    def jwks(self) -> JsonObject:
        """The published key set (RFC 7517): access keys, newest first, and the key for ID tokens."""
        keys = [_public_jwk(key, ACCESS_KID) for key in self._access]
        return {"keys": [*keys, _public_jwk(self._id_token, ID_TOKEN_KID)]}

    def sign(self, claims: JsonObject, *, key: Purpose = "mcp-access", headers: JsonObject | None = None) -> str:
        """A compact JWT of *claims*, signed with the current key for that purpose."""
        private = self._access[0] if key == "mcp-access" else self._id_token
        return jwt.encode(claims, private, algorithm="ES256", headers={"kid": key, **(headers or {})})

    def read_claims(self, token: str) -> JsonObject | None:
        """The claims of an access token with a valid signature, otherwise unchecked; else None."""
        if read_header(token).get("kid") != ACCESS_KID:
            return None
        results = (verify(token, key.public_key(), ["ES256"]) for key in self._access)
        return next((claims for claims in results if claims is not None), None)
