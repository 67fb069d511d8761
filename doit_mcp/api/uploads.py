"""Decodes files that callers pass as base64 text."""

from base64 import b64decode
from binascii import Error

from .errors import ApiError

MAX_FILE_BYTES = 30_000_000
"""Maximum bytes of a file (limit of the API)."""
MAX_ENCODED_CHARACTERS = MAX_FILE_BYTES // 3 * 4
"""Maximum characters of base64 text."""
STANDARD_ALPHABET = str.maketrans("-_", "+/", " \t\r\n=")


def decode_file(name: str, text: str) -> bytes:
    """Decode the file in argument *name*: base64 in either alphabet, with or without padding and line breaks.

    Raises ApiError (kind "argument") for other text.
    """
    try:
        # Translation is fast for ASCII only.
        encoded = text.encode("ascii").decode().translate(STANDARD_ALPHABET)
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (Error, ValueError):
        raise ApiError(f"{name}: must be base64 text", kind="argument") from None
