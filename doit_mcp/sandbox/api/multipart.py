"""Parsing of forms with files (multipart/form-data, RFC 7578) from a complete body."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from .responses import bad_request

MAX_PARTS = 20


@dataclass(frozen=True, slots=True)
class FormField:
    """A form field; *filename* is "" for fields without a file."""

    filename: str
    data: bytes


def parse_form(content_type: str, body: bytes) -> dict[str, FormField]:
    """The fields of a form by name; 400 if the body is not a form."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise bad_request("Content-Type must be multipart/form-data with a boundary", field="Content-Type")
    # The first delimiter may come without a line break.
    preamble, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), MAX_PARTS + 2)
    if preamble or not pieces or not pieces[-1].startswith(b"--"):
        raise bad_request(f"the body is not a form of at most {MAX_PARTS} parts with the boundary that was announced")
    return dict(_parse_part(piece) for piece in pieces[:-1])


def _parse_part(piece: bytes) -> tuple[str, FormField]:
    head, blank_line, data = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(head.removeprefix(b"\r\n"))
    name = headers.get_param("name", header="Content-Disposition")
    if not blank_line or headers.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise bad_request("a part of the form has no name")
    return name, FormField(headers.get_filename() or "", data)
