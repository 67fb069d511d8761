"""Inputs shared by all servers and the load: a key pair, tokens, tools. Written to a directory for other processes."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

MAX_TOOLS = 2000
AUDIENCE = "https://mcp.example/mcp"
# The key id that our server expects; the others ignore it.
KEY_ID = "mcp-access"
TOKEN_LIFE_SECONDS = 86_400
WORDS = (
    "the identifier of each matching record in its account by date range and currency with a filter for status or type "
    "sorted as asked at most 20 rows per page when left out all results are included up to the maximum allowed value"
).split()
VERBS = ("list", "get", "create", "update", "archive")
NOUNS = ("budget", "report", "invoice", "alert", "label", "asset", "ticket", "quota", "folder", "contract")


def _encode_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Inputs:
    """The shared files in *directory*."""

    directory: Path

    @property
    def token(self) -> str:
        """The default access token."""
        return (self.directory / "token").read_text()

    @property
    def urls(self) -> dict[str, str]:
        """The URLs of the upstream stub, as issuer, audience and upstream."""
        urls: dict[str, str] = json.loads((self.directory / "places.json").read_text())
        return urls

    def tokens(self, *, callers: bool = False, forged: bool = False) -> Iterator[str]:
        """An infinite sequence of different tokens: of one caller or of different ones, signed with the provider's key
        or not.
        """
        key = load_pem_private_key((self.directory / "private.pem").read_bytes(), None)
        if forged:
            key = generate_private_key(SECP256R1())
        assert isinstance(key, EllipticCurvePrivateKey)
        issuer, start = self.urls["issuer"], time.time_ns()
        names = (f"user-{number}" if callers else "user-1" for number in count(2))
        return (sign_jwt(key, token_claims(issuer, f"{start}-{number}", next(names))) for number in count())

    def write_keys(self) -> None:
        """Write a key pair, its public key also as a JWK set, and the tools."""
        key = generate_private_key(SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.directory / "private.pem").write_bytes(private)
        public = key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.directory / "public.pem").write_bytes(pem)
        point = public.public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID}
        jwk |= {"x": _encode_base64(point.x.to_bytes(32)), "y": _encode_base64(point.y.to_bytes(32))}
        (self.directory / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
        (self.directory / "tools.json").write_text(json.dumps(make_tools(MAX_TOOLS)))

    def write_urls(self, url: str) -> None:
        """Write the URLs of the upstream stub, and a token issued for them."""
        urls = {"issuer": url, "audience": AUDIENCE, "upstream": f"{url}/small"}
        (self.directory / "places.json").write_text(json.dumps(urls))
        (self.directory / "token").write_text(next(self.tokens()))


def token_claims(issuer: str, identifier: str, subject: str) -> dict[str, Any]:
    """The claims of an access token of the identity provider."""
    now = int(time.time())
    return {
        "iss": issuer, "aud": AUDIENCE, "sub": subject, "client_id": "bench", "scope": "mcp:tools", "iat": now,
        "nbf": now - 5, "exp": now + TOKEN_LIFE_SECONDS, "jti": identifier, "customer_context": "customer-1", "cid": "bench",
        "flow_id": "flow-1",
    }  # fmt: skip


def sign_jwt(key: EllipticCurvePrivateKey, content: dict[str, Any]) -> str:
    """Sign a JWT without a library, which would take longer than the request that carries it."""
    header = {"alg": "ES256", "typ": "JWT", "kid": KEY_ID}
    text = ".".join(_encode_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, content))
    r, s = decode_dss_signature(key.sign(text.encode(), ECDSA(SHA256())))
    return f"{text}.{_encode_base64(r.to_bytes(32) + s.to_bytes(32))}"


def text_schema(name: str) -> dict[str, Any]:
    """The schema of an object with one string."""
    return {
        "type": "object",
        "properties": {name: {"type": "string"}},
        "required": [name],
        "additionalProperties": False,
    }


FILTER_RULE = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "enum": ["name", "date", "cost", "owner"]},
        "operator": {"type": "string", "enum": ["is", "in", "above", "below"]},
        "values": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["field", "operator"],
    "additionalProperties": False,
}


def make_tools(number: int) -> list[dict[str, Any]]:
    """echo and fetch_report, then definitions of typical size for a REST API (1.5 KB) up to *number*; deterministic, so
    that runs can be compared.
    """
    words = cycle(WORDS)
    tools: list[dict[str, Any]] = [
        {"name": "echo", "description": "Answers with its argument.", "inputSchema": text_schema("text")},
        {"name": "fetch_report", "description": "Fetches a report.", "inputSchema": text_schema("id")},
    ]

    def make_sentence(length: int) -> str:
        return " ".join(islice(words, length)).capitalize() + "."

    for index in range(2, number):
        noun = NOUNS[index % len(NOUNS)]
        properties = {
            f"{noun}Id": {"type": "string", "description": make_sentence(11), "pattern": "^[A-Za-z0-9]{1,40}$"},
            "from": {"type": "string", "description": make_sentence(9)},
            "to": {"type": "string", "description": make_sentence(9)},
            "status": {
                "type": "array",
                "items": {"type": "string", "enum": ["active", "paused", "ended"]},
                "description": make_sentence(10),
                "maxItems": 3,
            },
            "maxResults": {"type": "integer", "minimum": 1, "maximum": 500, "description": make_sentence(10)},
            "ascending": {"type": "boolean", "description": make_sentence(10)},
            "filters": {"type": "array", "description": make_sentence(12), "items": FILTER_RULE},
        }
        schema = {
            "type": "object",
            "properties": properties,
            "required": [f"{noun}Id"],
            "additionalProperties": False,
        }
        name = f"{VERBS[index % len(VERBS)]}_{noun}_{index:04d}"
        tools.append({"name": name, "description": make_sentence(40), "inputSchema": schema})
    return tools
