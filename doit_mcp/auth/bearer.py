"""The credential in a request's Authorization headers (RFC 6750, 2.1): there and nowhere else (security H1-H3)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from .errors import AuthError, invalid_token
from .jws import MAX_TOKEN

# One or more spaces (RFC 9110, 11.4), then token68 and nothing behind it.
CREDENTIAL = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)
MAX_HEADER = MAX_TOKEN + 16
MAX_PIECES = 32
"""Pieces of a bearer: a JWT has three or five, and each one is looked at."""


def bearer(values: Sequence[str]) -> str:
    """The token in *values*, all Authorization headers of a request. Raises AuthError 400 or 401, repeating nothing."""
    if not values:
        raise invalid_token("A bearer token is needed: sign in to the DoiT console, or send a DoiT API token.")
    if len(values) > 1:
        raise AuthError(400, "invalid_request", "There must be one Authorization header, not several.")
    if len(values[0]) > MAX_HEADER:
        raise invalid_token("The bearer token is too long.")
    found = CREDENTIAL.fullmatch(values[0])
    if found is None:
        raise invalid_token("The Authorization header must be: Bearer, a space, one token.")
    token = found[1]
    if len(token) > MAX_TOKEN or token.count(".") + token.count("~") >= MAX_PIECES:
        raise invalid_token("The bearer token is too long.")
    return token


def digest(token: str) -> bytes:
    """What a token is remembered by: caches never go by the token itself."""
    return hashlib.sha256(token.encode()).digest()
