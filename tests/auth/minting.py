"""Tokens of these tests: an issuer's keys, valid tokens, and forged ones."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

BASE = "https://mcp.doit.com"
ISSUER = "https://console.doit.com"
NOW = 1_800_000_000.0


def base64url(raw: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Signer:
    """A private key of an issuer."""

    def __init__(self, curve: ec.EllipticCurve | None = None) -> None:
        self.private = ec.generate_private_key(curve or ec.SECP256R1())

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public half as a JWK; None leaves a member out."""
        numbers = self.private.public_key().public_numbers()
        members = {
            "kty": "EC",
            "crv": "P-256",
            "x": base64url(numbers.x.to_bytes(32)),
            "y": base64url(numbers.y.to_bytes(32)),
            "kid": "mcp-access",
            "use": "sig",
            "alg": "ES256",
            **changes,
        }
        return {name: value for name, value in members.items() if value is not None}

    @property
    def named(self) -> dict[bytes, ec.EllipticCurvePublicKey]:
        """The public key as find_signing_key takes it."""
        return {b"the key": self.private.public_key()}

    def raw(self, header: bytes, payload: bytes) -> str:
        """A validly signed token of exactly these bytes."""
        signed = f"{base64url(header)}.{base64url(payload)}"
        return f"{signed}.{base64url(self.signature(signed.encode()))}"

    def der(self, signed: bytes) -> bytes:
        """An ASN.1 signature."""
        return self.private.sign(signed, ec.ECDSA(SHA256()))

    def signature(self, signed: bytes) -> bytes:
        """A raw signature, two halves of 32 bytes."""
        r, s = decode_dss_signature(self.der(signed))
        return r.to_bytes(32) + s.to_bytes(32)

    def token(self, *, header: dict[str, Any] | None = None, now: float = NOW, **changes: Any) -> str:
        """An access token. *changes* replace claims, or remove those that are None; *header* does the same for the
        header."""
        return self.raw(encode_members({**HEADER, **(header or {})}), encode_members(claims(now, **changes)))


HEADER = {"alg": "ES256", "typ": "JWT", "kid": "mcp-access"}


def claims(now: float = NOW, **changes: Any) -> dict[str, Any]:
    """The claims of a valid token that expires in an hour."""
    return {
        "iss": ISSUER,
        "aud": BASE,
        "sub": "admin@acme.example",
        "iat": int(now),
        "exp": int(now) + 3600,
        "scope": "mcp:tools mcp:resources offline_access",
        "customer_context": "acme",
        "cid": "client-1",
        "flow_id": "flow-1",
        "jti": "token-1",
        **changes,
    }


def encode_members(members: dict[str, Any]) -> bytes:
    """JSON of the members that are not None."""
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def make_unsigned(header: dict[str, Any], body: dict[str, Any], signature: str = "") -> str:
    """A token without a valid signature."""
    return f"{base64url(encode_members(header))}.{base64url(encode_members(body))}.{signature}"
