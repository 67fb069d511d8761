"""The credential in a request's Authorization headers (RFC 6750, 2.1): there and nowhere else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from .errors import AuthError, invalid_token_error
from .jws import MAX_TOKEN_LENGTH

# One or more spaces (RFC 9110, 11.4), then token68 and nothing behind it.
CREDENTIAL_PATTERN = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)
MAX_HEADER_LENGTH = MAX_TOKEN_LENGTH + 16
MAX_TOKEN_PARTS = 32
"""Pieces of a bearer: a JWT has three or five, and each one is looked at."""


def read_bearer_token(headers: Sequence[str]) -> str:
    """The token in *headers*, all Authorization headers of a request. Raises AuthError 400 or 401, repeating nothing."""
    if not headers:
        raise invalid_token_error("A bearer token is needed: sign in to the DoiT console, or send a DoiT API token.")
    if len(headers) > 1:
        raise AuthError(400, "invalid_request", "There must be one Authorization header, not several.")
    if len(headers[0]) > MAX_HEADER_LENGTH:
        raise invalid_token_error("The bearer token is too long.")
    found = CREDENTIAL_PATTERN.fullmatch(headers[0])
    if found is None:
        raise invalid_token_error("The Authorization header must be: Bearer, a space, one token.")
    token = found[1]
    if len(token) > MAX_TOKEN_LENGTH or token.count(".") + token.count("~") >= MAX_TOKEN_PARTS:
        raise invalid_token_error("The bearer token is too long.")
    return token


def token_digest(token: str) -> bytes:
    """What a token is remembered by: caches never go by the token itself."""
    return hashlib.sha256(token.encode()).digest()
