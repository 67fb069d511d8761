"""Keeping the table of a large answer, so that query_result can show other sides of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ...protocol.json_schema import of_type
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from ..call import Call
from ..currencies import StatedCurrency, with_currency
from .tool import Content, Tool, ToolError

FEW_ROWS = 50
LARGE = 20_000
"""Characters of an answer's JSON from which on its table is kept. Answers are cut at 30,000."""
MAX_IN_PLACE_BYTES = 200_000
"""Size of an answer up to which its table is made in place."""
ROWS_OF_LINE = 5_000
"""Rows of one line of a kept table: reading a line is a single step, which nothing interrupts."""
HANDLE: JsonObject = {"type": "string", "description": "For query_result: the whole table, kept for half an hour."}


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns ({name, type}) and rows with a cell for each; *about* says where it came from."""

    columns: list[JsonObject]
    rows: list[list[Any]]
    about: JsonObject = field(default_factory=dict)


TableOf = Callable[[JsonObject], "Table | None"]


CUSTOMER = "customer"
"""Member of a table's *about*: the customer that an employee of DoiT acted for."""


def packed(table: Table, customer: str | None = None) -> bytes:
    """*table* as lines of JSON: the first has everything but the rows from ROWS_OF_LINE on, which are in the others.

    *customer* is the one that an employee of DoiT acts for.
    """
    about = {**table.about, CUSTOMER: customer} if customer else table.about
    starts = range(ROWS_OF_LINE, len(table.rows), ROWS_OF_LINE)
    first = {"columns": table.columns, "rows": table.rows[:ROWS_OF_LINE], "about": about}
    return b"\n".join(map(orjson.dumps, [first, *(table.rows[start : start + ROWS_OF_LINE] for start in starts)]))


def unpacked(data: bytes) -> Table:
    """The table that was packed."""
    first, *others = data.split(b"\n")
    table = Table(**orjson.loads(first))
    for line in others:
        table.rows.extend(orjson.loads(line))
    return table


def check_customer(table: Table, customer: str) -> None:
    """Raise ToolError for a table about another customer than *customer*, whom an employee acts for now."""
    own = table.about.get(CUSTOMER, "")
    if own != customer:
        raise ToolError(
            f"handle: this result is about the customer {own or 'of your own token'}, and this call acts for another"
            " one. Act for that customer again, or run the cost tool for the customer of this call."
        )


def keeping(tool: Tool, table_of: TableOf, *, currency: bool = False) -> Tool:
    """*tool*, whose large answers have a handle to their table; with *currency* its answers state the currency."""

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        config = arguments.get("config")
        if currency and not (isinstance(config, dict) and config.get("currency")):
            result, own = await with_currency(call.doit, None, tool.run(call, arguments))
            if isinstance(result, Content):
                return result
            stated: JsonObject = {**result, "currency": own}
            return await _with_handle(call, tool, stated, table_of)
        result = await tool.run(call, arguments)
        return result if isinstance(result, Content) else await _with_handle(call, tool, result, table_of)

    schema = tool.output_schema or {"type": "object", "properties": {}}
    properties: JsonObject = {**schema["properties"], "handle": HANDLE}
    if currency:
        properties["currency"] = of_type(StatedCurrency)
    return replace(
        tool,
        run=run,
        output_schema={**schema, "properties": properties},
        narrow=f"{tool.narrow} Where there is a handle, query_result groups, filters and sorts the whole table.",
    )


async def _with_handle(call: Call, tool: Tool, result: JsonObject, table_of: TableOf) -> JsonObject:
    size = len(orjson.dumps(result))
    if size < LARGE:
        return result
    if size <= MAX_IN_PLACE_BYTES:
        made = _made(tool, call.customer, result, table_of)
    else:
        made = await in_thread(_made, tool, call.customer, result, table_of)
    handle = None if made is None else await call.results.put(call.owner, made)
    return {**result, "handle": handle} if handle else result


def _made(tool: Tool, customer: str | None, result: JsonObject, table_of: TableOf) -> bytes | None:
    """The table of *result*, ready to be kept; None if it has none, or one of few rows."""
    table = table_of(result)
    if table is None or len(table.rows) < FEW_ROWS:
        return None
    about: JsonObject = {name: result[name] for name in ("currency", "period") if name in result}
    return packed(replace(table, about={"tool": tool.name, **about}), customer)


def of_query(answer: JsonObject) -> Table | None:
    """The table of a query's answer."""
    return _table(answer.get("columns"), answer.get("rows"))


def of_report(answer: JsonObject) -> Table | None:
    """The table of a report's results."""
    result = answer.get("result")
    return _table(result.get("schema"), result.get("rows")) if isinstance(result, dict) else None


def _table(columns: Any, rows: Any) -> Table | None:
    """What fits together of *columns* and *rows*; None if there are none, or two columns have one name."""
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    names = [column.get("name") for column in columns if isinstance(column, dict)]
    if len(set(map(str, names))) != len(columns) or not all(isinstance(name, str) and name for name in names):
        return None
    whole = [row for row in rows if isinstance(row, list) and len(row) == len(columns)]
    return Table([{"name": one["name"], "type": str(one.get("type") or "")} for one in columns], whole)
