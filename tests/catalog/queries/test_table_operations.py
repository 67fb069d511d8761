"""Slices of a stored table lose and invent nothing, whatever the query."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.queries import table_operations
from doit_mcp.catalog.tables import cell_text
from doit_mcp.catalog.tools.result_handles import ResultTable

COLUMNS = [
    {"name": "service", "type": "string"},
    {"name": "month", "type": "string"},
    {"name": "cost", "type": "float"},
    {"name": "usage", "type": "float"},
]
ROWS: list[list[Any]] = [
    ["EC2", "2026-08", 10.0, 1.5],
    ["S3", "2026-08", 2.5, 0.0000012],
    ["EC2", "2026-09", 11.25, 1.0],
    [None, "2026-09", -1.0, None],
]
TABLE = ResultTable(COLUMNS, ROWS)
CELLS = st.none() | st.text(max_size=4) | st.integers(-100, 100)
TABLES = st.lists(
    st.tuples(CELLS, CELLS, st.none() | st.floats(-1e6, 1e6), st.floats(0, 1e6)).map(list), max_size=30
).map(lambda rows: ResultTable(COLUMNS, rows))


def condition(column: str, op: str, *values: str) -> Any:
    return {"column": column, "op": op, "values": list(values)}


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (condition("service", "is", "EC2"), [0, 2]),
        (condition("service", "is", ""), [3]),
        (condition("service", "not", "EC2", "S3"), [3]),
        (condition("service", "contains", "c2", "s"), [0, 1, 2]),
        (condition("service", "starts_with", "e"), [0, 2]),
        (condition("cost", "gt", "2.5"), [0, 2]),
        (condition("cost", "gte", "2.5"), [0, 1, 2]),
        (condition("cost", "lt", "0"), [3]),
        (condition("cost", "lte", "-1", "2.5"), [1, 3]),
        (condition("cost", "is", "10"), [0]),
        (condition("usage", "gt", "-5"), [0, 1, 2]),
    ],
)
def test_filters_rows(query: Any, left: list[int]) -> None:
    assert table_operations.filter_rows(TABLE, [query]).rows == [ROWS[at] for at in left]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            condition("nothing", "is", "x"),
            'filters: unknown column "nothing". Available: "service", "month", "cost", "usage"',
        ),
        (condition("cost", "gt", "much"), "must be a number"),
        (condition("cost", "gt", "nan"), "must be a number"),
    ],
)
def test_invalid_query_is_explained(query: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        table_operations.filter_rows(TABLE, [query])
    assert caught.value.kind == "argument"


def test_groups_aggregate_numbers() -> None:
    result = table_operations.group_rows(TABLE, ["service"])
    assert [column["name"] for column in result.columns] == ["service", "cost", "usage", "rows"]
    assert result.rows == [["EC2", 21.25, 2.5, 2], ["S3", 2.5, 0.0000012, 1], [None, -1.0, None, 1]]
    assert table_operations.group_rows(TABLE, ["service"], "avg").rows[0] == ["EC2", 10.625, 1.25, 2]
    assert table_operations.group_rows(TABLE, ["service"], "max").rows[2] == [None, -1.0, None, 1]
    assert table_operations.group_rows(TABLE, ["month"], "min").rows == [
        ["2026-08", 2.5, 0.0000012, 2],
        ["2026-09", -1.0, 1.0, 2],
    ]
    assert table_operations.group_rows(TABLE, ["month"], "count").rows == [["2026-08", 2], ["2026-09", 2]]


@given(table=TABLES, by=st.sampled_from([["service"], ["month"], ["service", "month"], ["month", "service"]]))
def test_groups_preserve_totals_and_rows(table: ResultTable, by: list[str]) -> None:
    result = table_operations.group_rows(table, by)
    before, after = table_operations.column_totals(table), table_operations.column_totals(result)
    assert before.keys() == after.keys() - {"rows"}
    assert all(abs(before[name] - after[name]) < 0.02 for name in before)
    assert sum(row[-1] for row in result.rows) == len(table.rows)
    keys = [tuple(cell_text(cell) for cell in row[: len(by)]) for row in result.rows]
    assert len(set(keys)) == len(keys)


@given(table=TABLES, value=st.text(max_size=3))
def test_condition_and_its_negation_partition_the_rows(table: ResultTable, value: str) -> None:
    parts = [table_operations.filter_rows(table, [condition("service", op, value)]).rows for op in ("is", "not")]
    assert sorted(map(str, parts[0] + parts[1])) == sorted(map(str, table.rows))


@given(table=TABLES, column=st.sampled_from(["service", "cost"]), descending=st.booleans())
def test_sorting_changes_no_row(table: ResultTable, column: str, descending: bool) -> None:
    result = table_operations.sort_rows(table, column, descending=descending)
    assert sorted(map(str, result.rows)) == sorted(map(str, table.rows))
    again = table_operations.sort_rows(result, column, descending=descending)
    assert again.rows == result.rows
    if column == "cost":
        costs = [row[2] for row in result.rows if row[2] is not None]
        assert costs == sorted(costs, reverse=descending)


def test_money_is_rounded_to_cents_and_usage_is_not() -> None:
    table = ResultTable(COLUMNS, [["a", "m", 1.23456, 0.0000015], ["b", "m", -0.001, None]])
    assert table_operations.round_numbers(table).rows == [["a", "m", 1.23, 0.000002], ["b", "m", 0.0, None]]


@given(table=TABLES)
def test_csv_round_trips(table: ResultTable) -> None:
    text, rows = table_operations.as_csv(table, 1_000_000)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == len(table.rows) == len(read) - 1 and read[0] == ["service", "month", "cost", "usage"]
    assert all(not cell.startswith(("=", "+", "@")) for row in read for cell in row[:2])


def test_csv_is_bounded_and_has_no_formulas() -> None:
    table = ResultTable(COLUMNS[:1], [["=cmd()"], ["plain"], ["x" * 50]])
    assert table_operations.as_csv(table, 40) == ("service\r\n'=cmd()\r\nplain\r\n", 2)
