"""Encodes request bodies: JSON, and multipart forms with files (RFC 7578)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from .errors import ApiError
from .operation import Request
from .request_encoding import query_value

MULTIPART = "multipart/form-data"
FILE_SIGNATURES = {b"PK\x03\x04": ("file.zip", "application/zip"), b"\x1f\x8b": ("file.csv.gz", "application/gzip")}
"""File name and content type by the first bytes of a file. All other files are CSV."""
CSV_FILE = ("file.csv", "text/csv")


class Body(NamedTuple):
    """An encoded body and its content type."""

    content: bytes
    content_type: str


def encode_body(request: Request, content_type: str) -> Body | None:
    """Encode the body of *request*; None if it has none. Raises ApiError ("argument") for invalid values."""
    if request.body is None:
        return None
    if content_type == MULTIPART:
        return encode_form(request.body)
    try:
        return Body(orjson.dumps(request.body), content_type)
    except TypeError:
        raise ApiError("an argument contains text or a number that JSON cannot represent", kind="argument") from None


def encode_form(fields: Mapping[str, Any]) -> Body:
    """Encode a form: bytes are files, all other values are text. Raises ApiError ("argument")."""
    try:
        parts = [_encode_part(name, value) for name, value in fields.items()]
    except UnicodeEncodeError:
        raise ApiError("an argument is not valid Unicode text", kind="argument") from None
    # The boundary is a digest of the parts, so it cannot occur in them.
    boundary = sha256(b"".join(parts)).hexdigest()
    delimiter = f"--{boundary}\r\n".encode()
    content = b"".join(piece for part in parts for piece in (delimiter, part, b"\r\n"))
    return Body(content + f"--{boundary}--\r\n".encode(), f'{MULTIPART}; boundary="{boundary}"')


def _encode_part(name: str, value: Any) -> bytes:
    if not isinstance(value, bytes):
        return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{query_value(value)}'.encode()
    file_name, content_type = next(
        (file_type for signature, file_type in FILE_SIGNATURES.items() if value.startswith(signature)), CSV_FILE
    )
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"'
    return f"{disposition}\r\nContent-Type: {content_type}\r\n\r\n".encode() + value
