"""Queries on tables in memory: filter, group, sort and export. Pure functions, without I/O."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from functools import cache
from heapq import merge
from math import fsum, isfinite
from operator import ge, gt, le, lt
from typing import Annotated, Any, Literal, Required, TypedDict

from ..api.errors import ApiError
from ..protocol.json_schema import Length, short_json
from ..protocol.jsonrpc import JsonObject
from .tables import to_number
from .tools.result_handles import ResultTable

NUMERIC_TYPES = frozenset({"float", "number", "integer", "int", "double", "numeric"})
MAX_TEXT_SEARCHES = 8_000_000
"""Text comparisons of one call (contains, starts_with), at about 50 ns each. Each further CHARACTERS_PER_SEARCH
characters of a cell count as one more."""
MAX_CELL_TESTS = 4_000_000
"""Cells that one call may test."""
CHARACTERS_PER_SEARCH = 100
MAX_ROWS_PER_SORT = 20_000
"""Rows of one sort. A sort cannot be interrupted, so larger tables are sorted in parts that are then merged."""
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
MONEY_DECIMALS = 2
QUANTITY_DECIMALS = 6
"""Decimals of usage and counts, which are not money."""

Operator = Literal["is", "not", "contains", "starts_with", "gt", "gte", "lt", "lte"]
Aggregate = Literal["sum", "avg", "min", "max", "count"]


class Condition(TypedDict, total=False):
    """A condition on the cells of one column."""

    column: Required[Annotated[str, Length(1, 300)]]
    op: Required[Annotated[Operator, "contains and starts_with ignore case; gt to lte compare numbers."]]
    values: Required[Annotated[list[str], "Any of these; numbers as text too.", Length(1, 100)]]


def measure_names(table: ResultTable) -> list[str]:
    """Return the names of the numeric columns."""
    return [column["name"] for column in table.columns if column["type"].lower() in NUMERIC_TYPES]


def column_index(table: ResultTable, column: str, argument: str) -> int:
    """Return the index of *column* in a row. Raise ApiError that lists the available columns."""
    names = [one["name"] for one in table.columns]
    if column not in names:
        raise ApiError(
            f"{argument}: unknown column {short_json(column)}. Available: {', '.join(names)}", kind="argument"
        )
    return names.index(column)


def filter_rows(table: ResultTable, conditions: Sequence[Condition]) -> ResultTable:
    """Return the rows that meet every condition.

    Raise ApiError if there are too many conditions or values for this table.
    """
    rows = table.rows
    if len(conditions) * len(rows) > MAX_CELL_TESTS:
        most = MAX_CELL_TESTS // len(rows)
        text = f"filters: {len(conditions)} conditions are too many for {len(rows):,} rows; use at most {most}"
        raise ApiError(text, kind="argument")

    @cache
    def column(at: int, read: Callable[[Any], Any]) -> list[Any]:
        # Each cell is converted once, regardless of the number of conditions.
        return [read(row[at]) for row in rows]

    left: Sequence[int] = range(len(rows))
    searches = MAX_TEXT_SEARCHES
    for condition in conditions:
        at, op = column_index(table, condition["column"], "filters"), condition["op"]
        if op in ("contains", "starts_with"):
            left, searches = _filter_by_text(column(at, casefolded_text), left, condition, searches)
        elif op in ("is", "not"):
            texts, wanted = column(at, cell_text), set(condition["values"])
            left = [number for number in left if (texts[number] in wanted) == (op == "is")]
        else:
            left = _filter_by_number(column(at, parse_number), left, condition)
    return ResultTable(table.columns, [rows[number] for number in left], table.about)


def _filter_by_text(
    texts: list[str], rows: Sequence[int], condition: Condition, searches: int
) -> tuple[Sequence[int], int]:
    """Return the *rows* whose text contains or starts with one of the values, and how many searches are left.

    Raise ApiError if the condition needs more searches than that.
    """
    parts = list(dict.fromkeys(map(str.casefold, condition["values"])))
    each = len(rows) + sum(len(texts[row]) for row in rows) // CHARACTERS_PER_SEARCH
    if each * len(parts) > searches:
        text = (
            f"filters: {condition['op']} with {len(parts)} values is too much for {len(rows):,} rows; the limit"
            f" is {searches // each} values. Use fewer, or first add a condition that leaves fewer rows"
        )
        raise ApiError(text, kind="argument")
    searches -= each * len(parts)
    if condition["op"] == "starts_with":
        starts = tuple(parts)
        return [row for row in rows if texts[row].startswith(starts)], searches
    without = rows
    for part in parts:
        without = [row for row in without if part not in texts[row]]
    dropped = set(without)
    return [row for row in rows if row not in dropped], searches


def _filter_by_number(numbers: list[float | None], rows: Sequence[int], condition: Condition) -> list[int]:
    """Return the *rows* whose number is beyond any of the bounds, that is, beyond the nearest one."""
    op, bounds = condition["op"], [_parse_bound(value) for value in condition["values"]]
    bound = min(bounds) if op in ("gt", "gte") else max(bounds)
    compare: Callable[[float, float], bool] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}[op]
    return [row for row in rows if (found := numbers[row]) is not None and compare(found, bound)]


def _parse_bound(value: str) -> float:
    found = parse_number(value)
    if found is None:
        raise ApiError(f"filters: {short_json(value)} must be a number to compare with", kind="argument")
    return found


def parse_number(cell: Any) -> float | None:
    """Return a cell as a finite number, including numbers written as text; None for anything else."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        found = float(cell)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def cell_text(cell: Any) -> str:
    """Return a cell as text: "" for null, whole numbers without a decimal point."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def casefolded_text(cell: Any) -> str:
    """Return a cell as text for case-insensitive comparison."""
    return cell_text(cell).casefold()


def group_rows(table: ResultTable, by: list[str], aggregate: Aggregate = "sum") -> ResultTable:
    """Return one row for each combination of the columns *by*, with the aggregated numbers and the row count."""
    keys = [column_index(table, column, "groupBy") for column in by]
    measures = [name for name in measure_names(table) if name not in by] if aggregate != "count" else []
    places = [column_index(table, name, "groupBy") for name in measures]
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for row in table.rows:
        groups.setdefault(tuple(cell_text(row[key]) for key in keys), []).append(row)
    rows = [
        [*(members[0][key] for key in keys), *(_aggregate(aggregate, members, at) for at in places), len(members)]
        for members in groups.values()
    ]
    columns = [table.columns[key] for key in keys] + [table.columns[at] for at in places]
    return ResultTable([*columns, {"name": "rowsOf" if "rows" in by else "rows", "type": "integer"}], rows, table.about)


def _aggregate(aggregate: Aggregate, members: list[list[Any]], at: int) -> float | None:
    values = [to_number(row[at]) for row in members if row[at] is not None]
    if aggregate == "sum":
        return fsum(values)
    if not values:
        return None
    return {"avg": fsum(values) / len(values), "min": min(values), "max": max(values)}[aggregate]


def sort_rows(table: ResultTable, column: str, *, descending: bool) -> ResultTable:
    """Sort the rows by a column: numbers before text, empty cells last, equal rows in their original order."""
    at = column_index(table, column, "sortBy")
    filled = [row for row in table.rows if cell_text(row[at])]

    def rank(row: list[Any]) -> tuple[int, float, str]:
        return _sort_key(row[at])

    starts = range(0, len(filled), MAX_ROWS_PER_SORT)
    parts = [sorted(filled[start : start + MAX_ROWS_PER_SORT], key=rank, reverse=descending) for start in starts]
    rows = parts[0] if len(parts) == 1 else list(merge(*parts, key=rank, reverse=descending))
    return ResultTable(table.columns, rows + [row for row in table.rows if not cell_text(row[at])], table.about)


def _sort_key(cell: Any) -> tuple[int, float, str]:
    found = parse_number(cell)
    return (0, found, "") if found is not None else (1, 0.0, cell_text(cell).casefold())


def column_totals(table: ResultTable) -> JsonObject:
    """Return the sum of each numeric column."""
    found = {}
    for name in measure_names(table):
        at = column_index(table, name, "")
        found[name] = round_value(name, fsum(to_number(row[at]) for row in table.rows))
    return found


def round_value(name: str, value: float) -> float:
    """Round a number of the column *name*: money to cents, quantities to a millionth."""
    return round(value, QUANTITY_DECIMALS if name in ("usage", "count", "rows", "rowsOf") else MONEY_DECIMALS) + 0.0


def round_numbers(table: ResultTable) -> ResultTable:
    """Return *table* with its numbers rounded."""
    names = {table.columns.index(column): column["name"] for column in table.columns if _is_numeric(column)}
    rows = [
        [
            round_value(names[at], cell) if at in names and isinstance(cell, float) else cell
            for at, cell in enumerate(row)
        ]
        for row in table.rows
    ]
    return ResultTable(table.columns, rows, table.about)


def _is_numeric(column: JsonObject) -> bool:
    return column["type"].lower() in NUMERIC_TYPES


def as_csv(table: ResultTable, max_characters: int) -> tuple[str, int]:
    """Return header and rows as CSV (RFC 4180) of at most *max_characters* characters, and the number of rows included.

    Text that a spreadsheet would read as a formula is prefixed with an apostrophe.
    """
    text, rows = _csv_line([column["name"] for column in table.columns]), 0
    for row in table.rows:
        line = _csv_line(row)
        if len(text) + len(line) > max_characters:
            break
        text, rows = text + line, rows + 1
    return text, rows


def _escape_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_PREFIXES) else cell


def _csv_line(row: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(map(_escape_formula, row))
    return out.getvalue()
