"""Handles: when there is one, and what it gives."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.catalogue import answers
from doit_mcp.catalogue.keeping import of_query, of_report
from doit_mcp.catalogue.query_result import MOST_CSV
from doit_mcp.catalogue.tools import ToolError
from tests.doit.recorder import Recorder

from .caller import TOOLS, Caller

SCHEMA = [{"name": "sku", "type": "string"}, {"name": "cost", "type": "float"}]
LARGE = {"schema": SCHEMA, "rows": [[f"a long name of a SKU, number {n}", float(n)] for n in range(1000)]}


async def run(caller: Caller, name: str, /, **arguments: Any) -> Any:
    tool = TOOLS[name]
    given = tool.read(arguments)
    assert tool.problems(given) == []
    result: Any = await tool.run(caller, given)
    whole = answers.complete(tool, given, result)
    assert "isError" not in whole
    return result


@pytest.mark.parametrize("name", ["run_query", "get_report_results"])
async def test_a_large_answer_has_a_handle_to_all_of_it(name: str) -> None:
    caller = Caller(Recorder({"id": "r", "result": LARGE}))
    arguments: dict[str, Any] = {"config": {"currency": "EUR"}} if name == "run_query" else {"id": "r"}
    found = await run(caller, name, **arguments)
    asked = len(caller.doit.reports.sender.requests)  # type: ignore[attr-defined]
    part = await run(caller, "query_result", handle=found["handle"])
    assert part["rowCount"] == 1000 and part["shown"] == 50 and part["total"] == {"cost": 499500.0}
    assert part["rows"][0] == ["a long name of a SKU, number 999", 999.0] and part["source"]["tool"] == name
    assert len(caller.doit.reports.sender.requests) == asked  # type: ignore[attr-defined]
    cut = answers.complete(TOOLS[name], {}, found)
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
    assert len(all_["csv"]) <= MOST_CSV


async def test_a_handle_is_its_owners() -> None:
    caller = Caller(Recorder({"result": LARGE}))
    handle = (await run(caller, "run_query", config={}))["handle"]
    stranger = Caller(Recorder())
    stranger.results, stranger.owner = caller.results, "somebody else"
    with pytest.raises(ToolError, match="no such result"):
        await run(stranger, "query_result", handle=handle)
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
def test_what_is_no_table_is_not_kept(answer: Any) -> None:
    assert of_query(answer) is None and of_report(answer) is None


def test_rows_of_another_width_are_left_out() -> None:
    table = of_report({"result": {"schema": [{"name": "a"}], "rows": [[1], [1, 2], "x"]}})
    assert table is not None and table.rows == [[1]] and table.columns == [{"name": "a", "type": ""}]
