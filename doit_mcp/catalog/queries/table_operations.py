"""Filters, groups, sorts and exports tables in memory, as pure functions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from functools import cache
from heapq import merge
from math import isfinite
from operator import ge, gt, le, lt
from typing import Annotated, Any, Literal, Required, TypedDict

from ...api.errors import ApiError
from ...api.nearest import list_names
from ...protocol.json_schema import Length, short_json
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import MAX_QUANTITY, amount_as_json, sum_amounts, to_decimal
from ..currencies import DEFAULT_CURRENCY
from ..tables import MAX_TEXT_SEARCHES, NUMERIC_TYPES, cell_text, count_searches, to_number
from ..tools.result_handles import ResultTable

MAX_CELL_TESTS = 4_000_000
"""Maximum number of cells that one call may test."""
MAX_ROWS_PER_SORT = 20_000
"""Rows of one sort. A sort cannot be interrupted, so larger tables are sorted in parts and then merged."""
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
QUANTITY_COLUMNS = frozenset({"usage", "count", "rows", "rowsOf"})
ROW_COUNTS = ("rows", "rowsOf")
"""Names of the column with the number of rows of a group."""
PERCENT_SUFFIX = "percent"
"""The ending of the names of columns with percentages, which do not add up."""
QUANTITY_DECIMALS = 6
"""Decimal places of usage and counts, which are not money."""

Operator = Literal["is", "not", "contains", "starts_with", "gt", "gte", "lt", "lte"]
Aggregate = Literal["sum", "avg", "min", "max", "count", "per_day"]
SUMS = ("sum", "per_day")
"""Aggregates that add up numbers. per_day is divided afterwards, because the rows do not contain the days."""


class Condition(TypedDict, total=False):
    """A condition on the cells of one column."""

    column: Required[Annotated[str, Length(1, 300)]]
    op: Required[Annotated[Operator, "contains and starts_with ignore case; gt to lte compare numbers."]]
    values: Required[Annotated[list[str], "Any of these; numbers as text too.", Length(1, 100)]]


def measure_names(table: ResultTable) -> list[str]:
    """Return the names of the numeric columns."""
    return [column["name"] for column in table.columns if _is_numeric(column)]


def column_index(table: ResultTable, column: str, argument: str) -> int:
    """Return the index of *column* in a row. Raises ApiError that lists the available columns."""
    names = [table_column["name"] for table_column in table.columns]
    if column not in names:
        raise ApiError(
            f"{argument}: unknown column {short_json(column)}. Available: {list_names(names)}", kind="argument"
        )
    return names.index(column)


def filter_rows(table: ResultTable, conditions: Sequence[Condition]) -> ResultTable:
    """Return the rows that meet every condition.

    Raises ApiError if there are too many conditions or values for this table.
    """
    rows = table.rows
    if len(conditions) * len(rows) > MAX_CELL_TESTS:
        max_conditions = MAX_CELL_TESTS // len(rows)
        reason = (
            f"filters: {len(conditions)} conditions are too many for {len(rows):,} rows; use at most {max_conditions}"
        )
        raise ApiError(reason, kind="argument")

    @cache
    def convert_column(index: int, convert: Callable[[Any], Any]) -> list[Any]:
        # Each cell is converted once, regardless of the number of conditions.
        return [convert(row[index]) for row in rows]

    matches: Sequence[int] = range(len(rows))
    searches = MAX_TEXT_SEARCHES
    for condition in conditions:
        column, op = column_index(table, condition["column"], "filters"), condition["op"]
        if op in ("contains", "starts_with"):
            matches, searches = _filter_by_text(convert_column(column, casefold_cell), matches, condition, searches)
        elif op in ("is", "not"):
            texts, values = convert_column(column, cell_text), set(condition["values"])
            matches = [row for row in matches if (texts[row] in values) == (op == "is")]
        else:
            matches = _filter_by_number(convert_column(column, parse_number), matches, condition)
    return ResultTable(table.columns, [rows[row] for row in matches], table.about)


def _filter_by_text(
    texts: list[str], rows: Sequence[int], condition: Condition, searches: int
) -> tuple[Sequence[int], int]:
    """Return the *rows* whose text contains or starts with one of the values, and the remaining number of searches.

    Raises ApiError if the condition needs more than *searches*.
    """
    values = list(dict.fromkeys(map(str.casefold, condition["values"])))
    searches_per_value = count_searches([texts[row] for row in rows])
    if searches_per_value * len(values) > searches:
        reason = (
            f"filters: {condition['op']} with {len(values)} values is too much for {len(rows):,} rows; the limit"
            f" is {searches // searches_per_value} values. Use fewer, or first add a condition that leaves fewer rows"
        )
        raise ApiError(reason, kind="argument")
    searches -= searches_per_value * len(values)
    if condition["op"] == "starts_with":
        prefixes = tuple(values)
        return [row for row in rows if texts[row].startswith(prefixes)], searches
    others = rows
    for value in values:
        others = [row for row in others if value not in texts[row]]
    excluded = set(others)
    return [row for row in rows if row not in excluded], searches


def _filter_by_number(numbers: list[float | None], rows: Sequence[int], condition: Condition) -> list[int]:
    """Return the *rows* whose number is beyond any of the bounds, which is the same as beyond the nearest one."""
    op, bounds = condition["op"], [_parse_bound(value) for value in condition["values"]]
    bound = min(bounds) if op in ("gt", "gte") else max(bounds)
    compare: Callable[[float, float], bool] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}[op]
    return [row for row in rows if (number := numbers[row]) is not None and compare(number, bound)]


def _parse_bound(value: str) -> float:
    bound = parse_number(value)
    if bound is None:
        raise ApiError(f"filters: {short_json(value)} must be a number to compare with", kind="argument")
    return bound


def parse_number(cell: Any) -> float | None:
    """Return a cell as a finite number, including numbers written as text; None for anything else."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def casefold_cell(cell: Any) -> str:
    """Return a cell as text for case-insensitive comparison."""
    return cell_text(cell).casefold()


def group_rows(table: ResultTable, by: list[str], aggregate: Aggregate = "sum") -> ResultTable:
    """Return one row for each combination of the columns *by*, with the aggregated numbers and the row count."""
    keys = [column_index(table, column, "groupBy") for column in by]
    names = [name for name in measure_names(table) if name not in by] if aggregate != "count" else []
    if aggregate in SUMS:
        names = [name for name in names if is_additive(name)]
    measures = [column_index(table, name, "groupBy") for name in names]
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for row in table.rows:
        groups.setdefault(tuple(cell_text(row[key]) for key in keys), []).append(row)
    rows = [
        [*(group[0][key] for key in keys), *(_aggregate(aggregate, group, measure) for measure in measures), len(group)]
        for group in groups.values()
    ]
    columns = [table.columns[index] for index in (*keys, *measures)]
    return ResultTable([*columns, {"name": "rowsOf" if "rows" in by else "rows", "type": "integer"}], rows, table.about)


def _aggregate(aggregate: Aggregate, rows: list[list[Any]], column: int) -> float | None:
    cells = [row[column] for row in rows if row[column] is not None]
    # Without any value, the sum is unknown instead of zero.
    if not cells:
        return None
    if aggregate in SUMS:
        return float(sum_amounts(cells, MAX_QUANTITY))
    if aggregate == "avg":
        return float(sum_amounts(cells, MAX_QUANTITY) / len(cells))
    return (min if aggregate == "min" else max)(map(to_number, cells))


def sort_rows(table: ResultTable, column: str, *, descending: bool) -> ResultTable:
    """Sort the rows by a column: numbers before text, empty cells last, equal rows in their original order."""
    index = column_index(table, column, "sortBy")
    filled = [row for row in table.rows if cell_text(row[index])]

    def key(row: list[Any]) -> tuple[int, float, str]:
        return _sort_key(row[index])

    starts = range(0, len(filled), MAX_ROWS_PER_SORT)
    parts = [sorted(filled[start : start + MAX_ROWS_PER_SORT], key=key, reverse=descending) for start in starts]
    rows = parts[0] if len(parts) == 1 else list(merge(*parts, key=key, reverse=descending))
    return ResultTable(table.columns, rows + [row for row in table.rows if not cell_text(row[index])], table.about)


def _sort_key(cell: Any) -> tuple[int, float, str]:
    number = parse_number(cell)
    return (0, number, "") if number is not None else (1, 0.0, casefold_cell(cell))


def column_totals(table: ResultTable) -> JsonObject:
    """Return the sum of each numeric column that adds up, except columns that are empty in all rows."""
    totals = {}
    for name in filter(is_additive, measure_names(table)):
        index = column_index(table, name, "")
        cells = [row[index] for row in table.rows if row[index] is not None]
        if cells or not table.rows:
            totals[name] = round_value(name, float(sum_amounts(cells, MAX_QUANTITY)), table_currency(table))
    return totals


def is_additive(name: str) -> bool:
    """Return whether the numbers of the column *name* add up: percentages do not."""
    return not name.lower().endswith(PERCENT_SUFFIX)


def round_value(name: str, value: float, currency: str) -> float:
    """Round a number of the column *name*: money to the minor unit of the *currency*, quantities to millionths."""
    if name in QUANTITY_COLUMNS:
        return round(value, QUANTITY_DECIMALS) + 0.0
    return amount_as_json(to_decimal(value, MAX_QUANTITY), currency)


def table_currency(table: ResultTable) -> str:
    """Return the currency of the amounts of *table*."""
    return str(table.about.get("currency") or DEFAULT_CURRENCY)


def round_numbers(table: ResultTable) -> ResultTable:
    """Return *table* with its numbers rounded."""
    names = {index: column["name"] for index, column in enumerate(table.columns) if _is_numeric(column)}
    currency = table_currency(table)
    rows = [
        [
            round_value(names[index], cell, currency) if index in names and isinstance(cell, float) else cell
            for index, cell in enumerate(row)
        ]
        for row in table.rows
    ]
    return ResultTable(table.columns, rows, table.about)


def _is_numeric(column: JsonObject) -> bool:
    return column["type"].lower() in NUMERIC_TYPES


def as_csv(table: ResultTable, max_characters: int) -> tuple[str, int]:
    """Return header and rows as CSV (RFC 4180) of at most *max_characters* characters, and the number of its rows.

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
    line = io.StringIO()
    csv.writer(line).writerow(map(_escape_formula, row))
    return line.getvalue()
