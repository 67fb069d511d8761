"""Uploaded files of DataHub: CSV, as it is or compressed (ZIP or GZ of a single file), to events."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .costs.calendar_days import parse_seconds
from .responses import bad

LARGEST = 30 * 1024 * 1024  # bytes, of the file
UNPACKED = 64 * 1024 * 1024
ROWS = 100_000
DIMENSIONS = ("fixed.", "label.", "project_label.", "system_label.")


class Event(NamedTuple):
    """An event: its *id* ("" if it gets one of ours) and its *time* in epoch seconds."""

    id: str
    time: float


def events(data: bytes) -> list[Event]:
    """The events of a file; 400 that says what is wrong with it, by line."""
    if len(data) > LARGEST:
        raise bad(f"file: at most {LARGEST // 1024 // 1024} MB", field="file")
    try:
        text = _unpacked(data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad("file: the text is not UTF-8", field="file") from None
    try:
        return list(_rows(text))
    except csv.Error as error:
        raise bad(f"file: {error}", field="file") from None


def _unpacked(data: bytes) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        return _gunzipped(data)
    return _unzipped(data) if data.startswith(b"PK") else data


def _gunzipped(data: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = reader.decompress(data, UNPACKED)
    except zlib.error:
        raise bad("file: the GZ archive is damaged", field="file") from None
    if reader.unconsumed_tail or not reader.eof:
        raise bad("file: the GZ archive is cut off, or too large when it is unpacked", field="file")
    return found


def _unzipped(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if len(archive.infolist()) != 1:
                raise bad("file: a ZIP archive must hold a single CSV file", field="file")
            with archive.open(archive.infolist()[0]) as member:
                found = member.read(UNPACKED + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise bad("file: the ZIP archive cannot be read", field="file") from None
    if len(found) > UNPACKED:
        raise bad("file: too large when it is unpacked", field="file")
    return found


def _rows(text: str) -> Iterator[Event]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(rows, [])]
    _check(header)
    time_at = header.index("usage_date")
    id_at = header.index("id") if "id" in header else None
    metrics = [index for index, name in enumerate(header) if name.startswith("metric.")]
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if number > ROWS + 1:
            raise bad(f"file: at most {ROWS} rows", field="file")
        if len(row) != len(header):
            raise bad(f"file: line {number} has {len(row)} values, the header {len(header)}", field="file")
        yield Event(row[id_at] if id_at is not None else "", _time(row[time_at], number))
        for index in metrics:
            _number(row[index], header[index], number)


def _check(header: list[str]) -> None:
    if "usage_date" not in header:
        raise bad("file: the header needs the column usage_date", field="file")
    if not any(name.startswith(DIMENSIONS) for name in header):
        raise bad("file: the header needs a dimension such as fixed.service_id or label.team", field="file")
    if not any(name.startswith("metric.") for name in header):
        raise bad("file: the header needs a metric such as metric.cost", field="file")
    for name in header:
        if name not in ("usage_date", "id") and not name.startswith((*DIMENSIONS, "metric.")):
            raise bad(f"file: unknown column {name[:80]!r}", field="file")


def _time(text: str, line: int) -> float:
    try:
        return parse_seconds(text)
    except ValueError:
        raise bad(f"file: usage_date of line {line} is not an RFC 3339 time", field="file") from None


def _number(text: str, column: str, line: int) -> None:
    try:
        float(text)
    except ValueError:
        raise bad(f"file: {column} of line {line} is not a number", field="file") from None
