"""Parsing of JWTs in compact form (RFC 7515, section 7.1): strictly for verification, loosely for detection.

Nothing here is verified. The results are only what a token claims.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from ..protocol.base64url import TO_STANDARD_ALPHABET, decode_base64url
from ..protocol.jsonrpc import JsonObject, parse_json_object

MAX_TOKEN_LENGTH = 8_192
"""Maximum characters of a bearer token. Longer ones are refused before they are parsed."""

COMPACT_JWS_PATTERN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Shorter parts cannot contain a claim that matters, and a token could have thousands of them.
TOKEN_PART_PATTERN = re.compile(r"[A-Za-z0-9_+/-]{12,}")


@dataclass(frozen=True, slots=True)
class CompactJws:
    """The parts of *token*; *signature* is raw bytes. None of it may be logged."""

    header: JsonObject = field(repr=False)
    claims: JsonObject = field(repr=False)
    token: str = field(repr=False)
    signature: bytes = field(repr=False)


def parse_jws(token: str) -> CompactJws | None:
    """Return the parts of *token*, or None unless it is two JSON objects and a signature in canonical base64url."""
    if not COMPACT_JWS_PATTERN.fullmatch(token):
        return None
    header_part, claims_part, signature_part = token.split(".")
    header, claims, signature = (
        _parse_object(decode_base64url(header_part)),
        _parse_object(decode_base64url(claims_part)),
        decode_base64url(signature_part),
    )
    if header is None or claims is None or signature is None:
        return None
    return CompactJws(header, claims, token, signature)


def find_json_objects(text: str) -> list[JsonObject]:
    """Return the JSON objects among the base64 parts of any text that may be, or contain, a token.

    Loose on purpose, because it decides what must not be forwarded: wrong separators, padding, the other base64
    alphabet or a truncated part do not hide a token.
    """
    return [value for part in TOKEN_PART_PATTERN.findall(text) if (value := _decode_part(part)) is not None]


def _decode_part(part: str) -> JsonObject | None:
    standard = part.translate(TO_STANDARD_ALPHABET)
    decodable = standard[:-1] if len(standard) % 4 == 1 else standard
    return _parse_object(binascii.a2b_base64(decodable + "=" * (-len(decodable) % 4)))


def _parse_object(raw: bytes | None) -> JsonObject | None:
    return None if raw is None else parse_json_object(raw)
