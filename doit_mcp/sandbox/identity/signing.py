"""Owns the provider's keys: the published set, rotation, signing, and reading back what was signed."""

from __future__ import annotations

import json
from typing import Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from .records import JsonObject

ACCESS_KID = "mcp-access"
ID_TOKEN_KID = "id-token"
Purpose = Literal["mcp-access", "id-token"]


def _public(key: ec.EllipticCurvePrivateKey, kid: str) -> JsonObject:
    members: JsonObject = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    members.pop("key_ops", None)
    return {**members, "kid": kid, "use": "sig", "alg": "ES256"}


class Signing:
    """ES256 keys by purpose. The id of the access key is always "mcp-access": a rotation changes the key alone."""

    def __init__(self) -> None:
        self._access = [ec.generate_private_key(ec.SECP256R1())]
        self._id_token = ec.generate_private_key(ec.SECP256R1())

    def rotate(self, *, keep: bool = False) -> None:
        """Sign access tokens with a new key from now on; *keep* leaves the former keys published and valid."""
        self._access = [ec.generate_private_key(ec.SECP256R1()), *(self._access if keep else ())]

    def jwks(self) -> JsonObject:
        """The published key set (RFC 7517): access keys, newest first, and the key for ID tokens."""
        keys = [_public(key, ACCESS_KID) for key in self._access]
        return {"keys": [*keys, _public(self._id_token, ID_TOKEN_KID)]}

    def sign(self, claims: JsonObject, *, key: Purpose = "mcp-access", headers: JsonObject | None = None) -> str:
        """A compact JWT of *claims*, signed with the current key of that purpose."""
        private = self._access[0] if key == "mcp-access" else self._id_token
        return jwt.encode(claims, private, algorithm="ES256", headers={"kid": key, **(headers or {})})

    def read(self, token: str) -> JsonObject | None:
        """The claims of an access token with a valid signature, whatever they say; else None."""
        for key in self._access:
            try:
                if jwt.get_unverified_header(token).get("kid") != ACCESS_KID:
                    return None
                return jwt.decode(token, key.public_key(), algorithms=["ES256"], options=_SIGNATURE_ONLY)
            except jwt.PyJWTError:
                continue
        return None


# Claims are judged by their readers, with the provider's clock.
_SIGNATURE_ONLY: jwt.types.Options = {
    "verify_signature": True, "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
    "verify_iss": False, "verify_sub": False, "verify_jti": False,
}
