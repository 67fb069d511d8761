"""The bearer token of a request (RFC 6750, section 2.1), read from its Authorization header only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from .errors import AuthError, invalid_token_error
from .jws import MAX_TOKEN_LENGTH

# One or more spaces (RFC 9110, section 11.4), then one token68.
CREDENTIAL_PATTERN = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)
MAX_HEADER_LENGTH = MAX_TOKEN_LENGTH + 16
MAX_TOKEN_PARTS = 32
"""Maximum parts of a bearer token. A JWT has three or five, and each part is decoded."""


def read_bearer_token(headers: Sequence[str]) -> str:
    """Return the token in *headers*, all Authorization headers of a request.

    Raise AuthError 400 or 401, with descriptions that never quote the header.
    """
    if not headers:
        raise invalid_token_error("A bearer token is required. Sign in to the DoiT console, or send a DoiT API token.")
    if len(headers) > 1:
        raise AuthError(400, "invalid_request", "Send exactly one Authorization header.")
    if len(headers[0]) > MAX_HEADER_LENGTH:
        raise invalid_token_error("The bearer token is too long.")
    match = CREDENTIAL_PATTERN.fullmatch(headers[0])
    if match is None:
        raise invalid_token_error("The Authorization header must have the form: Bearer <token>.")
    token = match[1]
    if len(token) > MAX_TOKEN_LENGTH or token.count(".") + token.count("~") >= MAX_TOKEN_PARTS:
        raise invalid_token_error("The bearer token is too long.")
    return token


def token_digest(token: str) -> bytes:
    """Return the SHA-256 of *token*. Caches use it as their key, never the token itself."""
    return hashlib.sha256(token.encode()).digest()
