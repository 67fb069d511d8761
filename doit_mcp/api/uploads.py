"""Files in arguments: base64 text, as clients can send it."""

from base64 import b64decode
from binascii import Error

from .errors import ApiError

MAX_FILE_BYTES = 30_000_000
"""Bytes of one file (the API's bound)."""
MAX_ENCODED_CHARACTERS = MAX_FILE_BYTES // 3 * 4
"""Characters of the longest base64 text; longer plain text is too long as well."""
STANDARD_ALPHABET = str.maketrans("-_", "+/", " \t\r\n=")


def decode_file(name: str, text: str) -> bytes:
    """The file in argument *name*: base64 in either alphabet, padding and line breaks as they come.

    Raises ApiError (kind "argument") for other text.
    """
    try:
        # Only for ASCII text is this fast.
        plain = text.encode("ascii").decode().translate(STANDARD_ALPHABET)
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (Error, ValueError):
        raise ApiError(f"{name}: is not base64 text", kind="argument") from None
