"""query_result: queries on a stored large result, without another API request."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from ...api.errors import ApiError
from ...api.markers import IDENTIFIER
from ...api.value_kinds import Verbatim
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread_unless_full
from ..call import Call
from ..costs.amounts import amount_as_json
from ..tools.composed import composed_tool
from ..tools.result_handles import ResultTable, check_customer, unpack_table
from ..tools.tool import ToolError
from . import table_operations
from .grouping import (
    CoveredDays,
    find_repeated_column,
    find_unit_column,
    list_partial_periods,
    row_description,
    sum_columns,
    with_calendar_columns,
    with_costs_per_day,
    without_mixed_usage,
)
from .period_column import PERIOD_COLUMN
from .table_operations import Aggregate, Condition
from .unknown_values import check_condition_values

MAX_CSV_CHARACTERS = 50_000
MAX_LISTED_PERIODS = 5

ColumnName = Annotated[str, Length(1, 300)]


class QueryResult(TypedDict, total=False):
    """A part of a kept table."""

    rowCount: Annotated[int, "Rows of the whole selection; rows has some of them."]
    columns: Annotated[list[JsonObject], Verbatim]
    rows: Annotated[list[list[Any]], Verbatim]
    csv: Annotated[str, "Instead of rows, if asked for."]
    shown: Annotated[int, "How many rows are given, behind those that were skipped."]
    total: Annotated[JsonObject, "Sums over the whole selection, by column.", Verbatim]
    aggregateOf: Annotated[str, "What avg, min, max or per_day is of."]
    count: Annotated[int, "How many of these."]
    perDay: Annotated[JsonObject, "total divided by days.", Verbatim]
    days: int
    notes: Annotated[list[str], "What is incomplete or does not add up."]
    source: Annotated[JsonObject, "Which tool the table came from, and its period, currency and basis.", Verbatim]


@composed_tool(
    area="reports",
    search_hint="Drill down, filter, sort, regroup or export (CSV) an earlier large cost result",
    narrow_hint="Ask for fewer rows (top), or group or filter them.",
    default_list=True,
    max_result_characters=2 * MAX_CSV_CHARACTERS,
    slow=False,
)
async def query_result(
    call: Call,
    *,
    handle: Annotated[str, "The handle in an earlier answer of a cost tool.", Length(1, 200), IDENTIFIER],
    filters: Annotated[list[Condition] | None, "Only rows that meet all of these.", Length(maximum=20)] = None,
    groupBy: Annotated[
        list[ColumnName] | None,
        "Columns to group by; numbers are put together. With a column period also month, quarter or year.",
        Length(1, 10),
    ] = None,
    aggregate: Annotated[
        Aggregate, "How numbers are put together. avg is the mean of rows; per_day the sum divided by days."
    ] = "sum",
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
            "handle: this result does not exist or has expired (results are kept for half an hour). Run the cost tool"
            " again and use the handle in its answer."
        )
    descending, csv = sortOrder == "desc", format == "csv"
    wanted = TableQuery(
        filters or [], groupBy, aggregate, sortBy, descending, top, skip, csv, call.customer_context or ""
    )
    return await run_in_thread_unless_full(run_table_query, data, wanted)


class TableQuery(NamedTuple):
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

    @property
    def adds_up(self) -> bool:
        """Whether the result has a total, unlike means, costs per day, and the largest and smallest values."""
        return self.aggregate in ("sum", "count") or not self.group_by


def run_table_query(data: bytes, query: TableQuery) -> JsonObject:
    """Return the part of the stored table *data* that *query* selects.

    Raise ApiError for an invalid query, and ToolError for another customer's table.
    """
    table = unpack_table(data)
    check_customer(table, query.customer)
    selection = table_operations.filter_rows(table, query.filters)
    check_condition_values(table, query.filters)
    work = _Selection(table, selection, query, find_repeated_column(selection), find_unit_column(selection))
    chosen, totals = work.group_rows(), work.totals()
    if order := query.sort_by or _default_sort_column(chosen):
        chosen = table_operations.sort_rows(chosen, order, descending=query.descending)
    part = table_operations.round_numbers(
        ResultTable(chosen.columns, chosen.rows[query.skip : query.skip + query.top], chosen.about)
    )
    result: JsonObject = {
        "rowCount": len(chosen.rows),
        "columns": part.columns,
        "shown": len(part.rows),
        "total": totals if query.adds_up else {},
        **work.explanation(),
        "source": table.about,
    }
    if not query.csv:
        return result | {"rows": part.rows}
    text, rows = table_operations.as_csv(part, MAX_CSV_CHARACTERS)
    return result | {"csv": text, "shown": rows}


@dataclass(frozen=True, slots=True)
class _Selection:
    """The filtered rows of a table, and how they add up."""

    table: ResultTable
    rows: ResultTable
    query: TableQuery
    repeated: str | None
    """The column whose values each repeat the same costs in the rows."""
    unit: str | None
    """The column whose values show that the rows have usage in different units."""

    @property
    def aggregation(self) -> str | None:
        """How the query aggregated the values, if they do not add up."""
        basis = self.table.about.get("basis")
        aggregation = basis.get("aggregation") if isinstance(basis, dict) else None
        return aggregation if isinstance(aggregation, str) else None

    @property
    def group_by(self) -> list[str]:
        """The columns to group by, including the one that keeps repeated costs apart."""
        by = self.query.group_by or []
        return [self.repeated, *by] if by and self.repeated and self.repeated not in by else by

    def group_rows(self) -> ResultTable:
        """Return the rows, grouped if requested. Raise ApiError."""
        by, aggregate = self.group_by, self.query.aggregate
        if not by:
            return self.rows
        if self.aggregation and aggregate in table_operations.SUMS:
            raise ApiError(
                f"aggregate: the values of this table ({self.aggregation}) do not add up; use avg, min, max or count,"
                " or run the query again with other groups",
                kind="argument",
            )
        source = with_calendar_columns(self.rows, by)
        table = table_operations.group_rows(source, by, aggregate)
        if aggregate in table_operations.SUMS:
            table, _ = without_mixed_usage(table, source, by)
        if aggregate == "per_day":
            names = [name for name in table_operations.measure_names(table) if name not in table_operations.ROW_COUNTS]
            table = with_costs_per_day(table, by, names, CoveredDays(self.table, self.query.filters))
        return table

    def totals(self) -> JsonObject:
        """Return the rounded sums of the rows by column, without columns that do not add up."""
        if self.repeated or self.aggregation or not self.rows.rows:
            # Without rows, the total is unknown, so zero would be wrong.
            return {}
        table = table_operations.group_rows(self.rows, []) if self.query.group_by else self.rows
        if self.query.aggregate == "count" and self.query.group_by:
            table = table_operations.group_rows(self.rows, [], "count")
        sums = table_operations.column_totals(table)
        return {name: value for name, value in sums.items() if not (self.unit and name == "usage")}

    def explanation(self) -> JsonObject:
        """Return what an aggregate covers, the cost per day besides a mean, and notes on what does not add up."""
        parts: JsonObject = {}
        if self.query.group_by and self.query.aggregate in ("avg", "min", "max"):
            measures = table_operations.measure_names(self.table)
            parts |= {"aggregateOf": row_description(self.table, measures), "count": len(self.rows.rows)}
        if self.query.group_by and self.query.aggregate == "per_day":
            days = CoveredDays(self.table, self.query.filters).count
            parts |= {"aggregateOf": "days", "count": days, **self._make_per_day_member(days)}
        if self.query.group_by and self.query.aggregate == "avg" and isinstance(self.table.about.get("period"), dict):
            days = CoveredDays(self.table, self.query.filters).count
            parts |= {**means, "days": days} if (means := self._make_per_day_member(days)) else {}
        notes = self._make_notes()
        return parts | ({"notes": notes} if notes else {})

    def _make_per_day_member(self, days: int) -> JsonObject:
        """Return perDay, the totals divided by *days*; nothing for rows that do not add up."""
        names = [name for name in self.totals() if name not in table_operations.QUANTITY_COLUMNS]
        if not names or not days:
            return {}
        currency = table_operations.table_currency(self.table)
        sums = sum_columns(self.rows, names)
        return {"perDay": {name: amount_as_json(Decimal(total) / days, currency) for name, total in sums.items()}}

    def _list_partial_periods(self) -> list[str]:
        """Return the periods of the rows that the answer has only in part; none if the table states no period."""
        if not isinstance(self.table.about.get("period"), dict):
            return []
        by = self.group_by or [PERIOD_COLUMN]
        return list_partial_periods(
            with_calendar_columns(self.rows, by), by, CoveredDays(self.table, self.query.filters)
        )

    def _make_notes(self) -> list[str]:
        if not self.rows.rows:
            return ["No row meets all filters, so there is no total."]
        notes = []
        if cut := self._list_partial_periods():
            more = f" and {len(cut) - MAX_LISTED_PERIODS} more" if len(cut) > MAX_LISTED_PERIODS else ""
            notes.append(f"Incomplete: {', '.join(cut[-MAX_LISTED_PERIODS:])}{more}.")
        if self.repeated:
            notes.append(
                f"The rows have the same costs once for each {self.repeated}, so they have no total. Filter on one"
                f" {self.repeated} to add them up."
            )
        if self.aggregation:
            notes.append(f"The values ({self.aggregation}) do not add up, so they have no total.")
        if self.unit:
            notes.append(f"Usage has a total only within one {self.unit}, because units differ.")
        return notes


def _default_sort_column(table: ResultTable) -> str | None:
    measures = table_operations.measure_names(table)
    return next((name for name in ("cost", "change", *measures) if name in measures), None)
