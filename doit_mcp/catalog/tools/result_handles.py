"""Result handles: stores the table of a large result, so that query_result can query it later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import fsum
from types import MappingProxyType
from typing import Any

import orjson

from ...api.facts import TableShape
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows, run_in_thread
from ..call import Call
from .series import structured_content, with_structured
from .tool import ContentResult, Tool, ToolError, ToolResult

MIN_STORED_ROWS = 50
MIN_STORED_CHARACTERS = 20_000
"""Minimum length of the JSON of a result whose table is stored. Results are truncated at 30,000 characters."""
MAX_INLINE_BYTES = 200_000
"""Maximum size of a result whose table is built in the event loop."""
ROWS_PER_LINE = 5_000
"""Rows in one line of a stored table. Parsing a line cannot be interrupted."""
HANDLE_SCHEMA: JsonObject = {
    "type": "string",
    "description": "For query_result (30 minutes): the whole table.",
}


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Named columns ({name, type}) and rows with a cell for each; *about* describes the source."""

    columns: list[JsonObject]
    rows: list[list[Any]]
    about: JsonObject = field(default_factory=dict)


ExtractTable = Callable[[JsonObject], "ResultTable | None"]


STATED_MEMBERS = ("currency", "period", "partialPeriods", "basis", "outsideRows")
"""Members of a result that describe the amounts in its table."""
OTHER_GROUPS = "(other groups)"
"""Cell of rows for the costs of all groups that a result does not list."""
CUSTOMER_KEY = "customer"
"""Member of a table's *about*: the customer that a DoiT employee acted for."""


def pack_table(table: ResultTable, customer: str | None = None) -> bytes:
    """Serialize *table* as lines of JSON: the first has everything but the rows after ROWS_PER_LINE, which follow.

    *customer* is the one that a DoiT employee acts for.
    """
    about = {**table.about, CUSTOMER_KEY: customer} if customer else table.about
    starts = range(ROWS_PER_LINE, len(table.rows), ROWS_PER_LINE)
    first_line = {"columns": table.columns, "rows": table.rows[:ROWS_PER_LINE], "about": about}
    return b"\n".join(map(orjson.dumps, [first_line, *(table.rows[start : start + ROWS_PER_LINE] for start in starts)]))


def unpack_table(data: bytes) -> ResultTable:
    """Return the table that pack_table() serialized."""
    first_line, *row_lines = data.split(b"\n")
    table = ResultTable(**orjson.loads(first_line))
    for line in row_lines:
        table.rows.extend(orjson.loads(line))
    return table


def check_customer(table: ResultTable, customer: str) -> None:
    """Raise ToolError if the table is not about *customer*, for whom an employee acts now."""
    table_customer = table.about.get(CUSTOMER_KEY, "")
    if table_customer != customer:
        raise ToolError(
            f"handle: this result belongs to the customer {table_customer or 'of your own token'}, but this call acts for another"
            " customer. Act for that customer again, or run the cost tool for the customer of this call."
        )


def with_result_handle(tool: Tool, extract_table: ExtractTable) -> Tool:
    """Give large results of *tool* a handle to their table."""

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        result = await tool.run(call, arguments)
        if isinstance(result, ContentResult):
            return result
        return with_structured(result, await _add_handle(call, tool, structured_content(result), extract_table))

    schema = tool.output_schema or {"type": "object", "properties": {}}
    return replace(
        tool,
        run=run,
        output_schema={**schema, "properties": {**schema["properties"], "handle": HANDLE_SCHEMA}},
        narrow_hint=f"{tool.narrow_hint} If there is a handle, query_result groups, filters and sorts the whole table.",
    )


async def _add_handle(call: Call, tool: Tool, result: JsonObject, extract_table: ExtractTable) -> JsonObject:
    size = len(orjson.dumps(result))
    if size < MIN_STORED_CHARACTERS or "handle" in result:
        return result
    if size <= MAX_INLINE_BYTES:
        packed = _pack_result(tool, call.customer_context, result, extract_table)
    else:
        packed = await run_in_thread(_pack_result, tool, call.customer_context, result, extract_table)
    handle = None if packed is None else await call.results.put(call.owner, packed)
    return {**result, "handle": handle} if handle else result


def _pack_result(tool: Tool, customer: str | None, result: JsonObject, extract_table: ExtractTable) -> bytes | None:
    """Return the serialized table of *result*; None if it has no table, or too few rows."""
    table = extract_table(result)
    if table is None or len(table.rows) < MIN_STORED_ROWS:
        return None
    return pack_table(replace(table, about={"tool": tool.name, **_select_stated_members(result)}), customer)


async def store_top_groups(call: Call, tool_name: str, result: JsonObject) -> str | None:
    """Store the table of the *result* of a tool that lists the most expensive groups, before it is shortened.

    Return the handle; None if it cannot be stored.
    """
    table = top_groups_table(result)
    if table is None:
        return None
    about: JsonObject = {"tool": tool_name, **_select_stated_members(result)}
    packed = await run_by_rows(len(table.rows), pack_table, replace(table, about=about), call.customer_context)
    return await call.results.put(call.owner, packed)


def _select_stated_members(result: JsonObject) -> JsonObject:
    return {name: result[name] for name in STATED_MEMBERS if name in result}


def query_table(result: JsonObject) -> ResultTable | None:
    """Return the table in the result of a query."""
    return _make_table(result.get("columns"), result.get("rows"))


def report_table(report: JsonObject) -> ResultTable | None:
    """Return the table in a report with its results."""
    result = report.get("result")
    return _make_table(result.get("schema"), result.get("rows")) if isinstance(result, dict) else None


def top_groups_table(result: JsonObject) -> ResultTable | None:
    """Return the table of the most expensive groups, with OTHER_GROUPS rows for the rest of the total."""
    table = query_table(result)
    if table is None or (cost := _find_column(table, "cost")) is None or "groups" not in result:
        return table
    period = _find_column(table, "period")
    if period is not None and isinstance(periods := result.get("totals") or result.get("months"), list):
        listed: dict[Any, list[float]] = {}
        for row in table.rows:
            listed.setdefault(row[period], []).append(row[cost])
        for whole in periods:
            _append_rest(table, {period: whole["period"]}, cost, whole["cost"], listed.get(whole["period"], ()))
        return table
    for group in result["groups"]:
        # With two dimensions, each group has its own rest.
        _append_rest(table, {0: group["id"]}, cost, group.get("other"))
    _append_rest(table, {}, cost, result["total"]["all"], [row[cost] for row in table.rows])
    return table


def _append_rest(
    table: ResultTable, cells: Mapping[int, Any], cost: int, whole: float | None, parts: Iterable[float | None] = ()
) -> None:
    """Append a row with the *cells* and the *whole* cost minus its *parts*, unless the difference is zero."""
    if whole is None:
        return
    # Amounts have at most four decimals.
    rest = round(fsum([whole, *(-part for part in parts if part is not None)]), 4)
    if not rest:
        return
    names = [OTHER_GROUPS if column["type"] == "string" else None for column in table.columns]
    table.rows.append([{cost: rest, **cells}.get(at, name) for at, name in enumerate(names)])


def _find_column(table: ResultTable, name: str) -> int | None:
    return next((at for at, column in enumerate(table.columns) if column["name"] == name), None)


def _make_table(columns: Any, rows: Any) -> ResultTable | None:
    """Return the table of *columns* and *rows*, without rows of the wrong length.

    Returns None if either is not a list, or if column names are missing or repeated.
    """
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    names = [column.get("name") for column in columns if isinstance(column, dict)]
    if len(set(map(str, names))) != len(columns) or not all(isinstance(name, str) and name for name in names):
        return None
    return ResultTable(
        [{"name": column["name"], "type": str(column.get("type") or "")} for column in columns],
        [row for row in rows if isinstance(row, list) and len(row) == len(columns)],
    )


TABLES: Mapping[TableShape, ExtractTable] = MappingProxyType(
    {"query": query_table, "report": report_table, "top_groups": top_groups_table}
)
"""Functions that find the table in a result, by the shape that a declaration states."""


def with_declared_handle(tool: Tool) -> Tool:
    """Give large results of *tool* a handle if its declaration states that they have a table."""
    shape = tool.facts.get("result_table")
    if shape is None:
        return tool
    return with_result_handle(tool, TABLES[shape])
