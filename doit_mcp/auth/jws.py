"""JSON Web Tokens in their compact form (RFC 7515, 7.1): read strictly to verify them, or loosely to recognise them.

Nothing here is verified: what comes out is what the token claims.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

import orjson

from ..protocol.jsonrpc import JsonObject

MAX_TOKEN_LENGTH = 8_192
"""Characters of a bearer. Longer ones are refused before anything is done with them."""

COMPACT_JWS_PATTERN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Shorter pieces hold nothing that matters, and a bearer could be made of thousands.
TOKEN_PART_PATTERN = re.compile(r"[A-Za-z0-9_+/-]{12,}")
TO_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class CompactJws:
    """A token taken apart; *signing_input* is what the signature is over. None of it is for logs."""

    header: JsonObject = field(repr=False)
    claims: JsonObject = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse_jws(token: str) -> CompactJws | None:
    """The parts of *token*; None unless it is exactly three canonical base64url segments, two of them JSON objects."""
    if not COMPACT_JWS_PATTERN.fullmatch(token):
        return None
    signed, _, last = token.rpartition(".")
    first, _, second = signed.partition(".")
    header, claims, signature = (
        _parse_object(decode_base64url(first)),
        _parse_object(decode_base64url(second)),
        decode_base64url(last),
    )
    if header is None or claims is None or signature is None:
        return None
    return CompactJws(header, claims, signed.encode(), signature)


def decode_base64url(text: str) -> bytes | None:
    """The bytes of unpadded base64url; None for anything else, also for a second spelling of the same bytes."""
    standard = text.translate(TO_STANDARD_ALPHABET)
    try:
        raw = binascii.a2b_base64(standard + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None
    return raw if encode_base64url(raw) == text else None


def encode_base64url(raw: bytes) -> str:
    """Unpadded base64url of *raw*."""
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_").decode()


def find_json_objects(text: str) -> list[JsonObject]:
    """The JSON objects among the pieces of any text, which may be, or hold, a token.

    Loose on purpose, since it decides what may not be passed on: wrong separators, padding, the other base64
    alphabet and a cut-off piece do not hide a token.
    """
    return [seen for piece in TOKEN_PART_PATTERN.findall(text) if (seen := _decode_part(piece)) is not None]


def _decode_part(part: str) -> JsonObject | None:
    standard = part.translate(TO_STANDARD_ALPHABET)
    whole = standard[:-1] if len(standard) % 4 == 1 else standard
    return _parse_object(binascii.a2b_base64(whole + "=" * (-len(whole) % 4)))


def _parse_object(raw: bytes | None) -> JsonObject | None:
    if raw is None:
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
