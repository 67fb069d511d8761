"""Tables as the API's queries give them, read cell by cell; money as plain numbers."""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum, isfinite
from typing import Any

from ..protocol.jsonrpc import JsonObject


def column_names(answer: JsonObject) -> list[str]:
    """Names of a query's columns."""
    return [str(column.get("name")) if isinstance(column, dict) else "" for column in answer["columns"]]


def complete_rows(answer: JsonObject, key: str = "rows") -> list[list[Any]]:
    """A query's rows (or those under another *key*) that have a cell for each column."""
    rows = answer.get(key)
    width = len(answer["columns"])
    return [row for row in rows if isinstance(row, list) and len(row) == width] if isinstance(rows, list) else []


def to_number(value: Any) -> float:
    """A cell as a number; what is none counts as nothing."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if isfinite(value) else 0.0


def round_to_cents(amount: float) -> float:
    """An amount rounded to cents."""
    # Adding 0.0 makes a zero of a negative zero.
    return round(amount, 2) + 0.0


def percent_change(change: float, base: float) -> float | None:
    """*change* in percent of *base*, to a tenth; None where there is nothing to compare with."""
    # Below half a cent there is nothing: the quotient would be noise, or no number at all.
    return round(100 * change / abs(base), 1) + 0.0 if abs(base) >= 0.005 else None


def sum_by_columns(answer: JsonObject, keys: Iterable[str], value_column: str = "cost") -> dict[tuple[Any, ...], float]:
    """The sum of the column *value_column* for each combination of the columns *keys*; empty if one of them is not there."""
    names = column_names(answer)
    wanted = list(keys)
    if value_column not in names or not set(wanted) <= set(names):
        return {}
    places, at = [names.index(key) for key in wanted], names.index(value_column)
    cells: dict[tuple[Any, ...], list[float]] = {}
    for row in complete_rows(answer):
        cells.setdefault(tuple(to_key(row[place]) for place in places), []).append(to_number(row[at]))
    return {key: fsum(parts) for key, parts in cells.items()}


def column_total(answer: JsonObject, value_column: str = "cost") -> float | None:
    """The sum of a column; None if it is not there."""
    names = column_names(answer)
    return (
        fsum(to_number(row[names.index(value_column)]) for row in complete_rows(answer))
        if value_column in names
        else None
    )


def to_key(value: Any) -> Any:
    """A cell that names something, fit to be a key: text, a number, None; anything else as text."""
    return value if value is None or isinstance(value, str | int | float) else str(value)


def month_range(answer: JsonObject) -> JsonObject:
    """First and last month that has a row, as YYYY-MM; nothing if the rows do not say."""
    found = sorted(row_months(answer))
    return {"first": found[0], "last": found[-1]} if found else {}


def row_months(answer: JsonObject) -> list[str]:
    """Each row's month as YYYY-MM; nothing if the columns year and month are not there."""
    names = column_names(answer)
    if "year" not in names or "month" not in names:
        return []
    year, month = names.index("year"), names.index("month")
    return [f"{row[year]}-{str(row[month])[-2:].zfill(2)}" for row in complete_rows(answer)]
