"""Parses exports of DataHub datasets: pages of rows as CSV or NDJSON (one JSON object per line)."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ..protocol.json_schema import JsonObject
from .errors import ApiError

ROW_COUNT = "rowCount"
MAX_COUNT = 2**53
"""The largest number that every JSON parser reads exactly."""

FORM_NAMES = {"csv": "CSV", "jsonl": "NDJSON"}


def read_records(page: JsonObject, form: str) -> JsonObject:
    """Return a *page* with items and columns in place of its member "text", which is "csv" or "jsonl" (*form*).

    Columns are those of this page, in order; rows omit empty values. Raises ApiError ("answer").
    """
    text = str(page.get("text", ""))
    try:
        rows, columns = _read_csv(text) if form == "csv" else _read_lines(text)
        counted = {ROW_COUNT: _read_count(page[ROW_COUNT])} if ROW_COUNT in page else {}
    except (csv.Error, TypeError, ValueError, OverflowError):
        raise ApiError(
            f"the exported rows or their number cannot be read as {FORM_NAMES[form]}", kind="answer"
        ) from None
    others = {name: value for name, value in page.items() if name not in ("text", ROW_COUNT)}
    return {"items": rows, "columns": columns, **others, **counted}


def _read_count(value: Any) -> int:
    count = int(value)
    if not 0 <= count <= MAX_COUNT:
        raise ValueError("not a number of rows")
    return count


def _read_csv(text: str) -> tuple[list[JsonObject], list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns = next(reader, [])
    return [_without_empty(zip(columns, row, strict=True)) for row in reader if row], columns


def _read_lines(text: str) -> tuple[list[JsonObject], list[str]]:
    rows = [_without_empty(row.items()) for row in _parse_objects(text)]
    return rows, list(dict.fromkeys(name for row in rows for name in row))


def _parse_objects(text: str) -> Iterator[JsonObject]:
    """Yield the rows of NDJSON. Raises ValueError for a line that is not an object."""
    for line in text.split("\n"):
        if line.strip():
            row = orjson.loads(line)
            if not isinstance(row, dict):
                raise ValueError("not an object")
            yield row


def _without_empty(cells: Iterable[tuple[str, Any]]) -> JsonObject:
    return {name: value for name, value in cells if value not in ("", None)}
