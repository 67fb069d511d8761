"""Unpadded base64url (RFC 4648, section 5), with only one accepted spelling of each value."""

from __future__ import annotations

import binascii

TO_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def decode_base64url(text: str) -> bytes | None:
    """Decode unpadded base64url. Return None for anything else, including other spellings of the same bytes."""
    standard = text.translate(TO_STANDARD_ALPHABET)
    try:
        raw = binascii.a2b_base64(standard + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None
    return raw if encode_base64url(raw) == text else None


def encode_base64url(raw: bytes) -> str:
    """Encode *raw* as unpadded base64url (RFC 4648, section 5)."""
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_").decode()
