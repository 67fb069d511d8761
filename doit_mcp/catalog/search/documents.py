"""Formats API objects as text for users and models: of limited length, with readable dates and tables."""

from __future__ import annotations

from typing import Any

from ...api.timestamps import format_date
from ...protocol.jsonrpc import JsonObject
from ..tables import cell_text

MAX_DOCUMENT_CHARACTERS = 20_000
MAX_DOCUMENT_ROWS = 60
MAX_DOCUMENT_DEPTH = 4
DATE_SUFFIXES = ("Time", "Date", "Period", "At")
MIN_EPOCH_MILLISECONDS = 10**11
"""The lowest number (1973) that counts as milliseconds since 1970, in a field named like a date."""


def document_text(title: str, row: JsonObject) -> str:
    """Return *row* as text under its *title*. Longer text is truncated, with a note."""
    lines = [title, ""]
    result = row.get("result")
    table = result if isinstance(result, dict) and isinstance(result.get("rows"), list) else None
    fields = {name: value for name, value in row.items() if not (name == "result" and table)}
    lines += _field_lines(fields, 0)
    if table:
        lines += ["", "Results:", *_table_lines(table)]
    text = "\n".join(lines)
    return (
        text
        if len(text) <= MAX_DOCUMENT_CHARACTERS
        else text[:MAX_DOCUMENT_CHARACTERS] + "\n… (truncated; open the link to see the rest)"
    )


def _field_lines(value: Any, depth: int, name: str = "") -> list[str]:
    indent = "  " * max(0, depth - 1)
    if isinstance(value, dict):
        head = [f"{indent}{name}:"] if name else []
        if depth >= MAX_DOCUMENT_DEPTH:
            return [f"{indent}{name}: …"]
        return head + [line for key, item in value.items() for line in _field_lines(item, depth + 1, key)]
    if isinstance(value, list):
        if all(not isinstance(item, dict | list) for item in value):
            text = ", ".join(format_value(name, item) for item in value[:MAX_DOCUMENT_ROWS])
            return [f"{indent}{name}: {text}"] if value else []
        head, rows = [f"{indent}{name}:"], []
        for item in value[:MAX_DOCUMENT_ROWS]:
            inner = _field_lines(item, depth + 1, "") if depth < MAX_DOCUMENT_DEPTH else ["…"]
            rows += [f"{indent}- " + "; ".join(line.strip() for line in inner)]
        return (
            head
            + rows
            + ([f"{indent}- … {len(value) - MAX_DOCUMENT_ROWS} more"] if len(value) > MAX_DOCUMENT_ROWS else [])
        )
    if value is None or value == "":
        return []
    return [f"{indent}{name}: {format_value(name, value)}"]


def format_value(name: str, value: Any) -> str:
    """Return a value as text; milliseconds in a field named like a date as YYYY-MM-DD."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and value >= MIN_EPOCH_MILLISECONDS and name.endswith(DATE_SUFFIXES):
        return format_date(value) or str(value)
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def _table_lines(result: JsonObject) -> list[str]:
    columns = result.get("schema")
    names = (
        [str(column.get("name")) for column in columns if isinstance(column, dict)] if isinstance(columns, list) else []
    )
    rows = [row for row in result["rows"] if isinstance(row, list)]
    lines = [" | ".join(names)] + [" | ".join(cell_text(cell) for cell in row) for row in rows[:MAX_DOCUMENT_ROWS]]
    return lines + ([f"… {len(rows) - MAX_DOCUMENT_ROWS} more rows"] if len(rows) > MAX_DOCUMENT_ROWS else [])
