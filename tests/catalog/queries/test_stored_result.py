"""Handles: when there is one, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.queries import table_operations
from doit_mcp.catalog.queries.stored_result import MAX_CSV_CHARACTERS
from doit_mcp.catalog.tables import cell_text
from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.result_handles import (
    ROWS_PER_LINE,
    ResultTable,
    pack_table,
    query_table,
    report_table,
    unpack_table,
)
from doit_mcp.catalog.tools.tool import ToolError
from tests.api.recorder import Recorder
from tests.work_counter import MAX_LINES_PER_TURN, count_loop_lines

from ..caller import TOOLS, Caller

SCHEMA = [{"name": "sku", "type": "string"}, {"name": "cost", "type": "float"}]
LARGE = {"schema": SCHEMA, "rows": [[f"a long name of a SKU, number {n}", float(n)] for n in range(1000)]}


async def run(caller: Caller, name: str, /, **arguments: Any) -> Any:
    tool = TOOLS[name]
    given = tool.coerce_arguments(arguments)
    assert tool.argument_problems(given) == []
    result: Any = await tool.run(caller, given)
    whole = tool_result.make_tool_result_inline(tool, given, result)
    assert "isError" not in whole
    return result


@pytest.mark.parametrize("name", ["run_query", "get_report_results"])
async def test_a_large_answer_has_a_handle_to_all_of_it(name: str) -> None:
    caller = Caller(Recorder({"id": "r", "result": LARGE}))
    arguments: dict[str, Any] = {"config": {"currency": "EUR"}} if name == "run_query" else {"id": "r"}
    found = await run(caller, name, **arguments)
    asked = len(caller.doit.reports.sender.requests)  # type: ignore[attr-defined]  # a Recorder
    part = await run(caller, "query_result", handle=found["handle"])
    assert part["rowCount"] == 1000 and part["shown"] == 50 and part["total"] == {"cost": 499500.0}
    assert part["rows"][0] == ["a long name of a SKU, number 999", 999.0] and part["source"]["tool"] == name
    assert len(caller.doit.reports.sender.requests) == asked  # type: ignore[attr-defined]  # a Recorder
    cut = tool_result.make_tool_result_inline(TOOLS[name], {}, found)
    assert found["handle"] in cut["content"][0]["text"] and "query_result" in cut["content"][0]["text"]


async def test_a_small_answer_has_none() -> None:
    caller = Caller(Recorder({"result": {"schema": SCHEMA, "rows": LARGE["rows"][:40]}}))
    assert "handle" not in await run(caller, "run_query", config={})


async def test_the_whole_table_can_be_paged_grouped_and_exported() -> None:
    caller = Caller(Recorder({"result": LARGE}))
    handle = (await run(caller, "run_query", config={}))["handle"]
    last = await run(caller, "query_result", handle=handle, skip=995, top=10)
    assert [row[1] for row in last["rows"]] == [4.0, 3.0, 2.0, 1.0, 0.0]
    few = [{"column": "cost", "op": "lt", "values": [3]}]
    found = await run(caller, "query_result", handle=handle, filters=few, sortBy="sku", sortOrder="asc", format="csv")
    assert found["csv"].splitlines()[0] == "sku,cost" and found["shown"] == 3 == found["rowCount"]
    assert "rows" not in found
    one = await run(caller, "query_result", handle=handle, groupBy=["sku"], aggregate="avg", top=1000)
    assert one["total"] == {} and one["columns"][-1]["name"] == "rows"
    all_ = await run(caller, "query_result", handle=handle, format="csv", top=1000)
    assert len(all_["csv"]) <= MAX_CSV_CHARACTERS


async def test_a_handle_is_its_owners() -> None:
    caller = Caller(Recorder({"result": LARGE}))
    handle = (await run(caller, "run_query", config={}))["handle"]
    other_caller = Caller(Recorder())
    other_caller.results, other_caller.owner = caller.results, "somebody else"
    with pytest.raises(ToolError, match="does not exist or has expired"):
        await run(other_caller, "query_result", handle=handle)
    with pytest.raises(ToolError, match="half an hour"):
        await run(caller, "query_result", handle="made up")


@pytest.mark.parametrize(
    "answer",
    [
        {"columns": None, "rows": []},
        {"columns": [{"name": "a"}, {"name": "a"}], "rows": []},
        {"columns": [{"name": ""}], "rows": []},
        {"columns": ["a"], "rows": []},
        {},
    ],
)
def test_what_is_not_a_table_is_not_kept(answer: Any) -> None:
    assert query_table(answer) is None and report_table(answer) is None


def test_rows_of_another_width_are_left_out() -> None:
    table = report_table({"result": {"schema": [{"name": "a"}], "rows": [[1], [1, 2], "x"]}})
    assert table is not None and table.rows == [[1]] and table.columns == [{"name": "a", "type": ""}]


NAMES = [f"a long name of a SKU, number {number}, {uuid5(NAMESPACE_URL, str(number))}" for number in range(19_710)]
LONG_TABLE = ResultTable(
    [{"name": "sku", "type": "string"}, {"name": "cost", "type": "float"}],
    [[name, float(number)] for number, name in enumerate(NAMES)],
    {"tool": "run_query"},
)


async def query_stored(arguments: dict[str, Any], table: ResultTable = LONG_TABLE) -> Any:
    """Return what query_result answers about *table*, or its error. Fail if that blocks the event loop."""
    caller = Caller(Recorder())
    handle = await caller.results.put(caller.owner, pack_table(table))
    assert handle is not None
    with count_loop_lines() as lines:
        try:
            answer = await run(caller, "query_result", handle=handle, **arguments)
        except ApiError as refusal:
            answer = str(refusal)
    assert lines.longest < MAX_LINES_PER_TURN
    return answer


def conditions(count: int, values: int, op: str = "contains") -> list[dict[str, Any]]:
    """Conditions that all rows meet, by the last of their values."""
    some = [f"{op} {number} " for number in range(values - 1)]
    return [{"column": "sku", "op": op, "values": [*some, f"A long {'n' * (one % 2)}"]} for one in range(count)]


@pytest.mark.requirement("N3")
@pytest.mark.parametrize("op", ["contains", "starts_with"])
async def test_n3_too_many_values_for_the_number_of_rows(op: str) -> None:
    """It took 7.3 s, in which nothing else was served."""
    answer = await query_stored({"filters": conditions(20, 100, op)})
    assert f"{op} with 100 values is too much for 19,710 rows" in answer and "the limit is" in answer


@pytest.mark.requirement("N3")
@pytest.mark.parametrize(("arguments", "count"), [
    ({"filters": conditions(20, 10)}, 19_710),
    ({"filters": conditions(1, 100)}, 19_710),
    ({"filters": [{"column": "sku", "op": "not", "values": NAMES[:100]}] * 20}, 19_610),
    ({"filters": [{"column": "cost", "op": "gte", "values": ["0", *map(str, range(99))]}] * 20}, 19_710),
    ({"groupBy": ["sku"], "aggregate": "avg", "sortBy": "sku", "format": "csv", "top": 1000}, 19_710),
])  # fmt: skip
async def test_n3_the_largest_slices_hold_nothing(arguments: dict[str, Any], count: int) -> None:
    assert (await query_stored(arguments))["rowCount"] == count


@pytest.mark.requirement("N3")
async def test_n3_an_unknown_value_of_a_long_table_holds_nothing() -> None:
    filters = [{"column": "sku", "op": "is", "values": ["a long nme"]}]
    assert "Did you mean" in await query_stored({"filters": filters})


@pytest.mark.requirement("N3")
async def test_n3_too_many_conditions_for_the_number_of_rows() -> None:
    table = ResultTable([{"name": "n", "type": "integer"}], [[number % 10] for number in range(250_000)])
    answer = await query_stored({"filters": [{"column": "n", "op": "gt", "values": ["5"]}] * 20}, table)
    assert answer == "filters: 20 conditions are too many for 250,000 rows; use at most 16"
    answer = await query_stored({"sortBy": "n", "top": 3}, table)
    assert [row[0] for row in answer["rows"]] == [9, 9, 9]


@pytest.mark.requirement("N3")
async def test_n3_long_answers_of_the_api_hold_nothing() -> None:
    """To keep their table and to cut them."""
    rows = [[name, float(number)] for number, name in enumerate(NAMES * 2)]
    caller = Caller(Recorder({"result": {"schema": SCHEMA, "rows": rows}}))
    with count_loop_lines() as lines:
        found = await TOOLS["run_query"].run(caller, {"query": {"currency": "EUR"}})
        assert isinstance(found, dict) and found["handle"]
        whole = await tool_result.make_tool_result(TOOLS["run_query"], {}, found)
    assert "isError" not in whole.call_result and lines.longest < MAX_LINES_PER_TURN


@pytest.mark.parametrize("rows", [0, 1, ROWS_PER_LINE, ROWS_PER_LINE + 1, 3 * ROWS_PER_LINE])
def test_a_kept_table_is_what_it_was(rows: int) -> None:
    table = ResultTable(LONG_TABLE.columns, [["a\nb", number, None] for number in range(rows)], {"tool": "x\n"})
    assert unpack_table(pack_table(table)) == table


def test_a_table_that_an_earlier_version_kept() -> None:
    assert unpack_table(b'{"columns":[],"rows":[[1],[2]],"about":{}}') == ResultTable([], [[1], [2]], {})


@given(
    st.lists(st.none() | st.text("ab1Ⅷß. ", max_size=4) | st.integers(-3, 3) | st.floats(-3, 3), max_size=30),
    st.sampled_from(["is", "not", "contains", "starts_with", "gt", "gte", "lt", "lte"]),
    st.lists(st.sampled_from(["1", "2", "-1.5"]) | st.text("ab1ß", min_size=1, max_size=2), min_size=1, max_size=4),
)
def test_conditions_mean_what_they_say(cells: list[Any], op: Any, values: list[str]) -> None:
    """Against the plainest way to say it."""
    numbers = [table_operations.parse_number(value) for value in values]
    assume(op not in ("gt", "gte", "lt", "lte") or None not in numbers)

    def meets(cell: Any) -> bool:
        text, number = cell_text(cell), table_operations.parse_number(cell)
        low = text.casefold()
        plain: dict[str, Callable[[str, float | None], bool]] = {
            "contains": lambda value, bound: value.casefold() in low,
            "starts_with": lambda value, bound: low.startswith(value.casefold()),
            "gt": lambda value, bound: None not in (number, bound) and number > bound,
            "gte": lambda value, bound: None not in (number, bound) and number >= bound,
            "lt": lambda value, bound: None not in (number, bound) and number < bound,
            "lte": lambda value, bound: None not in (number, bound) and number <= bound,
        }
        if op in ("is", "not"):
            return (text in values) == (op == "is")
        return any(plain[op](value, bound) for value, bound in zip(values, numbers, strict=True))

    table = ResultTable([{"name": "c", "type": ""}], [[cell] for cell in cells])
    found = table_operations.filter_rows(table, [{"column": "c", "op": op, "values": values}])
    assert found.rows == [[cell] for cell in cells if meets(cell)]


@given(st.lists(st.integers(0, 9), max_size=50), st.booleans())
def test_rows_sorted_in_parts_are_in_order(numbers: list[int], descending: bool) -> None:
    """And equal ones stay as they were."""
    table = ResultTable([{"name": "n", "type": "integer"}], [[number, place] for place, number in enumerate(numbers)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_operations, "MAX_ROWS_PER_SORT", 7)
        found = table_operations.sort_rows(table, "n", descending=descending).rows
    assert found == sorted(table.rows, key=lambda row: row[0], reverse=descending)
