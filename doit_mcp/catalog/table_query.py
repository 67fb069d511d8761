"""Asking a table again: filter, group, sort, top. Pure, over rows in memory."""

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
"""How often one call may look for a text in a cell (contains, starts_with), which takes about 50 ns; every further
LETTERS letters of the cells count as one more."""
MAX_CELL_TESTS = 4_000_000
"""How many cells one call may test."""
CHARACTERS_PER_SEARCH = 100
MAX_ROWS_PER_SORT = 20_000
"""Rows of one sort. Nothing interrupts it, so more rows are sorted in parts, which are then merged."""
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
MONEY_DECIMALS = 2
QUANTITY_DECIMALS = 6
"""Decimals of what is no money: usage, counts."""

Operator = Literal["is", "not", "contains", "starts_with", "gt", "gte", "lt", "lte"]
Aggregate = Literal["sum", "avg", "min", "max", "count"]


class Condition(TypedDict, total=False):
    """What a cell has to be."""

    column: Required[Annotated[str, Length(1, 300)]]
    op: Required[Annotated[Operator, "contains and starts_with compare in any case; gt to lte compare numbers."]]
    values: Required[Annotated[list[str], "Any of these; numbers as text too.", Length(1, 100)]]


def measure_names(table: ResultTable) -> list[str]:
    """Names of the columns that hold numbers to add up."""
    return [column["name"] for column in table.columns if column["type"].lower() in NUMERIC_TYPES]


def column_index(table: ResultTable, column: str, argument: str) -> int:
    """Where *column* is in a row. Raises ApiError naming the columns that there are."""
    names = [one["name"] for one in table.columns]
    if column not in names:
        raise ApiError(f"{argument}: no column {short_json(column)}; there are {', '.join(names)}", kind="argument")
    return names.index(column)


def filter_rows(table: ResultTable, conditions: Sequence[Condition]) -> ResultTable:
    """The rows that meet every condition. Raises ApiError for more conditions or values than so many rows allow."""
    rows = table.rows
    if len(conditions) * len(rows) > MAX_CELL_TESTS:
        most = MAX_CELL_TESTS // len(rows)
        text = f"filters: {len(conditions)} conditions are too many for {len(rows):,} rows; give at most {most}"
        raise ApiError(text, kind="argument")

    @cache
    def column(at: int, read: Callable[[Any], Any]) -> list[Any]:
        # Each cell is read once, however many conditions there are.
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
    """Those of the *rows* in whose text is one of the condition's, and how many searches are left. Raises ApiError for
    too many."""
    parts = list(dict.fromkeys(map(str.casefold, condition["values"])))
    each = len(rows) + sum(len(texts[row]) for row in rows) // CHARACTERS_PER_SEARCH
    if each * len(parts) > searches:
        text = (
            f"filters: {condition['op']} with {len(parts)} values is too much for {len(rows):,} rows; here"
            f" {searches // each} values fit. Give fewer, or put a condition first that leaves fewer rows"
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
    """Those of the *rows* whose number is beyond one of the condition's bounds, so beyond the nearest."""
    op, bounds = condition["op"], [_parse_bound(value) for value in condition["values"]]
    bound = min(bounds) if op in ("gt", "gte") else max(bounds)
    compare: Callable[[float, float], bool] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}[op]
    return [row for row in rows if (found := numbers[row]) is not None and compare(found, bound)]


def _parse_bound(value: str) -> float:
    found = parse_number(value)
    if found is None:
        raise ApiError(f"filters: {short_json(value)} is no number to compare with", kind="argument")
    return found


def parse_number(cell: Any) -> float | None:
    """A cell as a finite number, also one that is written as text; None if it is none."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        found = float(cell)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def cell_text(cell: Any) -> str:
    """A cell as text; "" for null, whole numbers without a point."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def casefolded_text(cell: Any) -> str:
    """A cell as text to be compared in any case."""
    return cell_text(cell).casefold()


def group_rows(table: ResultTable, by: list[str], aggregate: Aggregate = "sum") -> ResultTable:
    """A row for each combination of the columns *by*, with the numbers of its rows put together, and how many."""
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
    """The rows in the order of a column; numbers before text, what is empty at the end, equals as they were."""
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
    """The sum of each column of numbers."""
    found = {}
    for name in measure_names(table):
        at = column_index(table, name, "")
        found[name] = round_value(name, fsum(to_number(row[at]) for row in table.rows))
    return found


def round_value(name: str, value: float) -> float:
    """A number of the column *name*: money to cents, use to a millionth."""
    return round(value, QUANTITY_DECIMALS if name in ("usage", "count", "rows", "rowsOf") else MONEY_DECIMALS) + 0.0


def round_numbers(table: ResultTable) -> ResultTable:
    """*table* with its numbers rounded."""
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
    """Header and rows as CSV (RFC 4180) of at most *max_characters* characters, and how many rows that are.

    Text that a spreadsheet would take for a formula is put behind an apostrophe.
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
