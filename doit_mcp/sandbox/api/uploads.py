"""DataHub file uploads: CSV to events, plain or compressed (ZIP or GZ of a single file)."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .costs.calendar_days import parse_seconds
from .responses import JsonObject, bad_request

MAX_FILE_BYTES = 30 * 1024 * 1024  # uncompressed
MAX_UNPACKED_BYTES = 64 * 1024 * 1024
MAX_ROWS = 100_000
DIMENSION_PREFIXES = ("fixed.", "label.", "project_label.", "system_label.")


class UploadedEvent(NamedTuple):
    """An event: its *id* ("" if the sandbox assigns one), *time* in epoch seconds, and *values* by column."""

    id: str
    time: float
    values: JsonObject = {}


def parse_events(data: bytes) -> list[UploadedEvent]:
    """The events of a file; 400 with the error and its line."""
    if len(data) > MAX_FILE_BYTES:
        raise bad_request(f"file: must have at most {MAX_FILE_BYTES // 1024 // 1024} MB", field="file")
    text = read_text(data)
    try:
        return list(_parse_rows(text))
    except csv.Error as error:
        raise bad_request(f"file: {error}", field="file") from None


def read_text(data: bytes) -> str:
    """The text of a file, unpacked; 400 if it is not text."""
    try:
        return _unpack(data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad_request("file: the text is not UTF-8", field="file") from None


def _unpack(data: bytes) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        return _gunzip(data)
    return _unzip(data) if data.startswith(b"PK") else data


def _gunzip(data: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = reader.decompress(data, MAX_UNPACKED_BYTES)
    except zlib.error:
        raise bad_request("file: the GZ archive is damaged", field="file") from None
    if reader.unconsumed_tail or not reader.eof:
        raise bad_request("file: the GZ archive is truncated, or too large when decompressed", field="file")
    return content


def _unzip(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if len(archive.infolist()) != 1:
                raise bad_request("file: a ZIP archive must hold a single CSV file", field="file")
            with archive.open(archive.infolist()[0]) as member:
                content = member.read(MAX_UNPACKED_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise bad_request("file: the ZIP archive cannot be read", field="file") from None
    if len(content) > MAX_UNPACKED_BYTES:
        raise bad_request("file: too large when it is unpacked", field="file")
    return content


def _parse_rows(text: str) -> Iterator[UploadedEvent]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(rows, [])]
    _check_header(header)
    time_at = header.index("usage_date")
    id_at = header.index("id") if "id" in header else None
    metrics = [index for index, name in enumerate(header) if name.startswith("metric.")]
    dimensions = [index for index, name in enumerate(header) if name.startswith(DIMENSION_PREFIXES)]
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if number > MAX_ROWS + 1:
            raise bad_request(f"file: at most {MAX_ROWS} rows", field="file")
        if len(row) != len(header):
            raise bad_request(f"file: line {number} has {len(row)} values, the header {len(header)}", field="file")
        values: JsonObject = {header[at]: row[at] for at in dimensions if row[at]}
        for index in metrics:
            values[header[index]] = _parse_number(row[index], header[index], number)
        yield UploadedEvent(row[id_at] if id_at is not None else "", _parse_time(row[time_at], number), values)


def _check_header(header: list[str]) -> None:
    if "usage_date" not in header:
        raise bad_request("file: the header needs the column usage_date", field="file")
    if not any(name.startswith(DIMENSION_PREFIXES) for name in header):
        raise bad_request("file: the header requires a dimension such as fixed.service_id or label.team", field="file")
    if not any(name.startswith("metric.") for name in header):
        raise bad_request("file: the header requires a metric such as metric.cost", field="file")
    for name in header:
        if name not in ("usage_date", "id") and not name.startswith((*DIMENSION_PREFIXES, "metric.")):
            raise bad_request(f"file: unknown column {name[:80]!r}", field="file")


def _parse_time(text: str, line: int) -> float:
    try:
        return parse_seconds(text)
    except ValueError:
        raise bad_request(f"file: usage_date of line {line} is not an RFC 3339 time", field="file") from None


def _parse_number(text: str, column: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise bad_request(f"file: {column} of line {line} is not a number", field="file") from None
