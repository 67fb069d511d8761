"""query_result: queries on a stored large result, without another API request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from ...api.markers import IDENTIFIER
from ...api.value_kinds import Verbatim
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread_unless_full
from .. import table_query
from ..call import Call
from ..table_query import Aggregate, Condition
from ..tools.composed import composed_tool
from ..tools.result_handles import ResultTable, check_customer, unpack_table
from ..tools.tool import ToolError

MAX_CSV_CHARACTERS = 50_000

ColumnName = Annotated[str, Length(1, 300)]


class QueryResult(TypedDict, total=False):
    """A part of a kept table."""

    rowCount: Annotated[int, "Rows of the whole selection; rows has some of them."]
    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], Verbatim]
    csv: Annotated[str, "Instead of rows, if asked for."]
    shown: Annotated[int, "How many rows are given, behind those that were skipped."]
    total: Annotated[JsonObject, "Sums over the whole selection, by column.", Verbatim]
    source: Annotated[JsonObject, "Which tool the table came from, its currency and period.", Verbatim]


@composed_tool(
    area="reports",
    search_hint="Drill down, filter, sort, regroup or export (CSV) an earlier large cost result",
    narrow_hint="Ask for fewer rows (top), or group or filter them.",
    default_list=True,
    max_result_characters=2 * MAX_CSV_CHARACTERS,
)
async def query_result(
    call: Call,
    *,
    handle: Annotated[str, "The handle in an earlier answer of a cost tool.", Length(1, 200), IDENTIFIER],
    filters: Annotated[list[Condition] | None, "Only rows that meet all of these.", Length(maximum=20)] = None,
    groupBy: Annotated[list[ColumnName] | None, "Columns to group by; numbers are put together.", Length(1, 10)] = None,
    aggregate: Annotated[Aggregate, "How numbers are put together."] = "sum",
    sortBy: Annotated[ColumnName | None, "Column to sort by; cost, if there is one."] = None,
    sortOrder: Annotated[Literal["desc", "asc"], "desc: the largest first."] = "desc",
    top: Annotated[int, "How many rows.", Range(1, 1000)] = 50,
    skip: Annotated[int, "Rows to leave out at the beginning.", Range(0, 1_000_000)] = 0,
    format: Annotated[Literal["table", "csv"], "csv gives text for a spreadsheet."] = "table",
) -> Annotated[JsonObject, QueryResult]:
    """Group, filter, sort or export the whole table behind a cost result that has a handle, without querying again."""
    data = await call.results.get(call.owner, handle)
    if data is None:
        raise ToolError(
            "handle: there is no such result, or no longer (results are kept for half an hour). Run the cost tool again"
            " and use the handle in its answer."
        )
    descending, csv = sortOrder == "desc", format == "csv"
    wanted = TableQuery(
        filters or [], groupBy, aggregate, sortBy, descending, top, skip, csv, call.customer_context or ""
    )
    return await run_in_thread_unless_full(run_table_query, data, wanted)


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which part of a table to return, and in which form."""

    filters: list[Condition]
    group_by: list[str] | None
    aggregate: Aggregate
    sort_by: str | None
    descending: bool
    top: int
    skip: int
    csv: bool
    customer: str


def run_table_query(data: bytes, query: TableQuery) -> JsonObject:
    """Return the part of the stored table *data* that *query* selects.

    Raise ApiError for an invalid query, and ToolError for another customer's table.
    """
    table = unpack_table(data)
    check_customer(table, query.customer)
    chosen = table_query.filter_rows(table, query.filters)
    if query.group_by:
        chosen = table_query.group_rows(chosen, query.group_by, query.aggregate)
    if order := query.sort_by or _default_sort_column(chosen):
        chosen = table_query.sort_rows(chosen, order, descending=query.descending)
    part = table_query.round_numbers(
        ResultTable(chosen.columns, chosen.rows[query.skip : query.skip + query.top], chosen.about)
    )
    adds_up = query.aggregate in ("sum", "count") or not query.group_by
    found: JsonObject = {
        "rowCount": len(chosen.rows),
        "columns": part.columns,
        "shown": len(part.rows),
        "total": table_query.column_totals(chosen) if adds_up else {},
        "source": table.about,
    }
    if not query.csv:
        return found | {"rows": part.rows}
    text, rows = table_query.as_csv(part, MAX_CSV_CHARACTERS)
    return found | {"csv": text, "shown": rows}


def _default_sort_column(table: ResultTable) -> str | None:
    measures = table_query.measure_names(table)
    return next((name for name in ("cost", "change", *measures) if name in measures), None)
