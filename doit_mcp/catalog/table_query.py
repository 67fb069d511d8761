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
from ..protocol.json_schema import Length, shown
from ..protocol.jsonrpc import JsonObject
from .tables import number
from .tools.result_handles import Table

NUMERIC = frozenset({"float", "number", "integer", "int", "double", "numeric"})
MAX_SEARCHES = 8_000_000
"""How often one call may look for a text in a cell (contains, starts_with), which takes about 50 ns; every further
LETTERS letters of the cells count as one more."""
MAX_TESTS = 4_000_000
"""How many cells one call may test."""
LETTERS = 100
SORTED_AT_ONCE = 20_000
"""Rows of one sort. Nothing interrupts it, so more rows are sorted in parts, which are then merged."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CENTS = 2
EXACT = 6
"""Decimals of what is no money: usage, counts."""

Operator = Literal["is", "not", "contains", "starts_with", "gt", "gte", "lt", "lte"]
Aggregate = Literal["sum", "avg", "min", "max", "count"]


class Condition(TypedDict, total=False):
    """What a cell has to be."""

    column: Required[Annotated[str, Length(1, 300)]]
    op: Required[Annotated[Operator, "contains and starts_with compare in any case; gt to lte compare numbers."]]
    values: Required[Annotated[list[str], "Any of these; numbers as text too.", Length(1, 100)]]


def measures_of(table: Table) -> list[str]:
    """Names of the columns that hold numbers to add up."""
    return [column["name"] for column in table.columns if column["type"].lower() in NUMERIC]


def place(table: Table, column: str, where: str) -> int:
    """Where *column* is in a row. Raises ApiError naming the columns that there are."""
    names = [one["name"] for one in table.columns]
    if column not in names:
        raise ApiError(f"{where}: no column {shown(column)}; there are {', '.join(names)}", kind="argument")
    return names.index(column)


def filtered(table: Table, conditions: Sequence[Condition]) -> Table:
    """The rows that meet every condition. Raises ApiError for more conditions or values than so many rows allow."""
    rows = table.rows
    if len(conditions) * len(rows) > MAX_TESTS:
        most = MAX_TESTS // len(rows)
        text = f"filters: {len(conditions)} conditions are too many for {len(rows):,} rows; give at most {most}"
        raise ApiError(text, kind="argument")

    @cache
    def column(at: int, read: Callable[[Any], Any]) -> list[Any]:
        # Each cell is read once, however many conditions there are.
        return [read(row[at]) for row in rows]

    left: Sequence[int] = range(len(rows))
    searches = MAX_SEARCHES
    for condition in conditions:
        at, op = place(table, condition["column"], "filters"), condition["op"]
        if op in ("contains", "starts_with"):
            left, searches = _with_text(column(at, folded), left, condition, searches)
        elif op in ("is", "not"):
            texts, wanted = column(at, text_of), set(condition["values"])
            left = [number for number in left if (texts[number] in wanted) == (op == "is")]
        else:
            left = _beyond(column(at, numeric), left, condition)
    return Table(table.columns, [rows[number] for number in left], table.about)


def _with_text(texts: list[str], rows: Sequence[int], condition: Condition, searches: int) -> tuple[Sequence[int], int]:
    """Those of the *rows* in whose text is one of the condition's, and how many searches are left. Raises ApiError for
    too many."""
    parts = list(dict.fromkeys(map(str.casefold, condition["values"])))
    each = len(rows) + sum(len(texts[row]) for row in rows) // LETTERS
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


def _beyond(numbers: list[float | None], rows: Sequence[int], condition: Condition) -> list[int]:
    """Those of the *rows* whose number is beyond one of the condition's bounds, so beyond the nearest."""
    op, bounds = condition["op"], [_bound(value) for value in condition["values"]]
    bound = min(bounds) if op in ("gt", "gte") else max(bounds)
    compare: Callable[[float, float], bool] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}[op]
    return [row for row in rows if (found := numbers[row]) is not None and compare(found, bound)]


def _bound(value: str) -> float:
    found = numeric(value)
    if found is None:
        raise ApiError(f"filters: {shown(value)} is no number to compare with", kind="argument")
    return found


def numeric(cell: Any) -> float | None:
    """A cell as a finite number, also one that is written as text; None if it is none."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        found = float(cell)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def text_of(cell: Any) -> str:
    """A cell as text; "" for null, whole numbers without a point."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def folded(cell: Any) -> str:
    """A cell as text to be compared in any case."""
    return text_of(cell).casefold()


def grouped(table: Table, by: list[str], aggregate: Aggregate = "sum") -> Table:
    """A row for each combination of the columns *by*, with the numbers of its rows put together, and how many."""
    keys = [place(table, column, "groupBy") for column in by]
    measures = [name for name in measures_of(table) if name not in by] if aggregate != "count" else []
    places = [place(table, name, "groupBy") for name in measures]
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for row in table.rows:
        groups.setdefault(tuple(text_of(row[key]) for key in keys), []).append(row)
    rows = [
        [*(members[0][key] for key in keys), *(_put(aggregate, members, at) for at in places), len(members)]
        for members in groups.values()
    ]
    columns = [table.columns[key] for key in keys] + [table.columns[at] for at in places]
    return Table([*columns, {"name": "rowsOf" if "rows" in by else "rows", "type": "integer"}], rows, table.about)


def _put(aggregate: Aggregate, members: list[list[Any]], at: int) -> float | None:
    values = [number(row[at]) for row in members if row[at] is not None]
    if aggregate == "sum":
        return fsum(values)
    if not values:
        return None
    return {"avg": fsum(values) / len(values), "min": min(values), "max": max(values)}[aggregate]


def ordered(table: Table, column: str, *, descending: bool) -> Table:
    """The rows in the order of a column; numbers before text, what is empty at the end, equals as they were."""
    at = place(table, column, "sortBy")
    filled = [row for row in table.rows if text_of(row[at])]

    def rank(row: list[Any]) -> tuple[int, float, str]:
        return _rank(row[at])

    starts = range(0, len(filled), SORTED_AT_ONCE)
    parts = [sorted(filled[start : start + SORTED_AT_ONCE], key=rank, reverse=descending) for start in starts]
    rows = parts[0] if len(parts) == 1 else list(merge(*parts, key=rank, reverse=descending))
    return Table(table.columns, rows + [row for row in table.rows if not text_of(row[at])], table.about)


def _rank(cell: Any) -> tuple[int, float, str]:
    found = numeric(cell)
    return (0, found, "") if found is not None else (1, 0.0, text_of(cell).casefold())


def totals(table: Table) -> JsonObject:
    """The sum of each column of numbers."""
    found = {}
    for name in measures_of(table):
        at = place(table, name, "")
        found[name] = rounded(name, fsum(number(row[at]) for row in table.rows))
    return found


def rounded(name: str, value: float) -> float:
    """A number of the column *name*: money to cents, use to a millionth."""
    return round(value, EXACT if name in ("usage", "count", "rows", "rowsOf") else CENTS) + 0.0


def tidy(table: Table) -> Table:
    """*table* with its numbers rounded."""
    names = {table.columns.index(column): column["name"] for column in table.columns if _measured(column)}
    rows = [
        [rounded(names[at], cell) if at in names and isinstance(cell, float) else cell for at, cell in enumerate(row)]
        for row in table.rows
    ]
    return Table(table.columns, rows, table.about)


def _measured(column: JsonObject) -> bool:
    return column["type"].lower() in NUMERIC


def as_csv(table: Table, most: int) -> tuple[str, int]:
    """Header and rows as CSV (RFC 4180) of at most *most* characters, and how many rows that are.

    Text that a spreadsheet would take for a formula is put behind an apostrophe.
    """
    text, rows = _line([column["name"] for column in table.columns]), 0
    for row in table.rows:
        line = _line(row)
        if len(text) + len(line) > most:
            break
        text, rows = text + line, rows + 1
    return text, rows


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _line(row: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(map(_harmless, row))
    return out.getvalue()
