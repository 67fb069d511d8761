"""Access to the tables in API query responses; money as plain numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from math import fsum, isfinite
from typing import Any, TypeVar

from ..api.errors import ApiError
from ..protocol.jsonrpc import JsonObject

T = TypeVar("T")

NUMERIC_TYPES = frozenset({"float", "number", "integer", "int", "double", "numeric"})
"""Types of columns with numbers: metrics are float, counts integer."""
MAX_TEXT_SEARCHES = 8_000_000
"""Text searches (contains, starts_with, ends_with) of one call or filter, at about 50 ns each."""
CHARACTERS_PER_SEARCH = 100
"""In long texts, this many characters count as one more search."""


def count_searches(texts: Collection[str]) -> int:
    """Return how many searches it takes to look for one value in all *texts*."""
    return len(texts) + sum(map(len, texts)) // CHARACTERS_PER_SEARCH


def column_names(answer: JsonObject) -> list[str]:
    """Return the column names of a query response."""
    return [str(column.get("name")) if isinstance(column, dict) else "" for column in answer["columns"]]


def is_numeric(column: JsonObject) -> bool:
    """Return whether a column has numbers."""
    return column.get("type") in NUMERIC_TYPES


def money_columns(columns: Iterable[Any]) -> dict[str, str | None]:
    """Return the currency of each column that is declared as money; None if it does not name one."""
    declared = (column for column in columns if isinstance(column, dict) and column.get("unit") == "currency")
    return {str(column.get("name")): column.get("currency") for column in declared}


def find_declared_currency(columns: Iterable[Any]) -> str | None:
    """Return the currency that all columns with money declare; None if they declare none, or several."""
    currencies = set(money_columns(columns).values())
    return currencies.pop() if len(currencies) == 1 else None


def complete_rows(answer: JsonObject, key: str = "rows") -> list[list[Any]]:
    """Return the rows (or those under another *key*) that have a cell for each column."""
    rows = answer.get(key)
    width = len(answer["columns"])
    return [row for row in rows if isinstance(row, list) and len(row) == width] if isinstance(rows, list) else []


def to_number(value: Any) -> float:
    """Return a cell as a number; 0 for anything that is not a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if isfinite(value) else 0.0


def cell_text(cell: Any) -> str:
    """Return a cell as text: "" for null, whole numbers without a decimal point."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def round_to_cents(amount: float) -> float:
    """Round an amount to cents."""
    # Adding 0.0 turns negative zero into zero.
    return round(amount, 2) + 0.0


def sum_by_columns(answer: JsonObject, keys: Iterable[str], value_column: str = "cost") -> dict[tuple[Any, ...], float]:
    """Sum the column *value_column* for each combination of the columns *keys*; empty if a column is missing."""
    names = column_names(answer)
    wanted = list(keys)
    if value_column not in names or not set(wanted) <= set(names):
        return {}
    places, at = [names.index(key) for key in wanted], names.index(value_column)
    cells: dict[tuple[Any, ...], list[float]] = {}
    for row in complete_rows(answer):
        cells.setdefault(tuple(to_key(row[place]) for place in places), []).append(to_number(row[at]))
    return {key: fsum(parts) for key, parts in cells.items()}


def to_key(value: Any) -> Any:
    """Return a cell as a dictionary key: text, number or None; anything else as text."""
    return value if value is None or isinstance(value, str | int | float) else str(value)


def row_months(answer: JsonObject) -> list[str | None]:
    """Return the month of each row as YYYY-MM; None where it is unreadable, and an empty list without its columns."""
    names = column_names(answer)
    if "year" not in names or "month" not in names:
        return []
    year, month = names.index("year"), names.index("month")
    days = (_read_day([row[year], row[month], 1]) for row in complete_rows(answer))
    return [None if day is None else day.isoformat()[:7] for day in days]


def read_months(answer: JsonObject) -> list[str]:
    """Return the month of each row as YYYY-MM. Raise ApiError if one is unreadable."""
    return _require_all(row_months(answer), answer, "month")


def read_days(answer: JsonObject) -> list[date]:
    """Return the day of each row. Raise ApiError if one is unreadable."""
    return _require_all(row_days(answer), answer, "day")


def _require_all(values: Sequence[T | None], answer: JsonObject, unit: str) -> list[T]:
    known = [value for value in values if value is not None]
    if len(values) != len(complete_rows(answer)):
        raise ApiError(f"the result has no columns for the {unit}", kind="answer")
    if len(known) < len(values):
        raise ApiError(f"the result has a row whose {unit} cannot be read", kind="answer")
    return known


def row_days(answer: JsonObject, key: str = "rows") -> list[date | None]:
    """Return the day of each row; None where it is unreadable, and an empty list if the columns are missing."""
    names = column_names(answer)
    if not {"year", "month", "day"} <= set(names):
        return []
    places = [names.index(name) for name in ("year", "month", "day")]
    return [_read_day([row[place] for place in places]) for row in complete_rows(answer, key)]


def _read_day(cells: list[Any]) -> date | None:
    try:
        # Months and days come alone or with their year: 5, "05", "2026-05".
        year, month, day = (int(str(cell).rpartition("-")[2]) for cell in cells)
        return date(year, month, day)
    except (ValueError, TypeError, OverflowError):
        return None
