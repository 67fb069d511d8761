"""Grouping of stored tables with correct sums: months with their years, one dimension, one unit, costs per day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from ...api.errors import ApiError
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import MAX_QUANTITY, to_decimal
from ..periods.grammar import parse_period
from ..periods.period import Period
from ..tables import cell_text
from ..tools.result_handles import ResultTable
from .day_spans import DaySpans
from .period_column import PERIOD_COLUMN, period_text
from .table_operations import Condition, column_index, filter_rows

ONE_AT_A_TIME = "oneAtATime"
"""Member of a table's *about*: the column whose values each repeat the same costs."""
CALENDAR_COLUMNS = ("year", "quarter", "month", "day")
"""Columns that rows with a period can be grouped by, from the longest to the shortest."""
YEARLY_COLUMNS = ("quarter", "month", "week", "isoweek", "day")
"""Columns whose values recur every year (or month)."""
WEEKDAY_COLUMN = "week_day"
UNIT_COLUMNS = ("pricing_unit", "sku_id", "sku_description")
"""Columns whose values each have a single unit."""
USAGE_COLUMN = "usage"
YEAR = re.compile(r"(?:^|[^0-9])[0-9]{4}(?:[^0-9]|$)")
CALENDAR_PERIOD = re.compile(r"([0-9]{4})(?:-Q([1-4])|-([0-9]{2})(?:-([0-9]{2}))?)?(?:T.*)?")


def find_repeated_column(table: ResultTable) -> str | None:
    """Return the column whose values each have the same costs, if the rows of *table* have several of its values."""
    column = table.about.get(ONE_AT_A_TIME)
    if not isinstance(column, str) or column not in (known["name"] for known in table.columns):
        return None
    return column if len(column_values(table, column)) > 1 else None


def column_values(table: ResultTable, column: str) -> set[str]:
    """Return the different values of a column, as text."""
    index = column_index(table, column, "")
    return {cell_text(row[index]) for row in table.rows}


def with_calendar_columns(table: ResultTable, names: Sequence[str]) -> ResultTable:
    """Return *table* with the calendar columns among *names*: made from its periods, or joined with the year.

    A month without its year would merge the months of different years. Raise ApiError if the periods of rows are longer
    than those to group by.
    """
    known = [column["name"] for column in table.columns]
    for name in dict.fromkeys(names):
        if name in CALENDAR_COLUMNS and name not in known and PERIOD_COLUMN in known:
            table = _with_period_part(table, name)
        elif name in YEARLY_COLUMNS and name in known and "year" not in names:
            table = _with_joined_year(table, name, names)
    return table


def _with_period_part(table: ResultTable, name: str) -> ResultTable:
    index = column_index(table, PERIOD_COLUMN, "groupBy")
    cells = {row[index]: _period_part(row[index], name) for row in table.rows}
    return ResultTable(
        [*table.columns, {"name": name, "type": "string"}],
        [[*row, cells[row[index]]] for row in table.rows],
        table.about,
    )


def _period_part(period: Any, name: str) -> str | None:
    """Return the year, quarter, month or day that contains a period. Raise ApiError if none does."""
    if period is None:
        return None
    match = CALENDAR_PERIOD.fullmatch(str(period))
    year, quarter, month, day = match.groups() if match else (None,) * 4
    if year and name == "year":
        return year
    if month and name == "quarter":
        quarter = str((int(month) + 2) // 3)
    if quarter and name == "quarter":
        return f"{year}-Q{quarter}"
    if month and name == "month":
        return f"{year}-{month}"
    if day and name == "day":
        return f"{year}-{month}-{day}"
    raise ApiError(
        f"groupBy: rows of the period {short_json(period)} cannot be grouped by {name}; use {PERIOD_COLUMN}, or run the"
        " query again with a shorter timeInterval",
        kind="argument",
    )


def _with_joined_year(table: ResultTable, name: str, names: Sequence[str]) -> ResultTable:
    """Return *table* with the year in the cells of a yearly column, and with the month in those of a day."""
    known = [column["name"] for column in table.columns]
    if name == "day" and "month" in names:
        return table
    parts = [part for part in ("year", "month" if name == "day" else "", name) if part in known]
    places = [known.index(part) for part in parts]
    period = known.index(PERIOD_COLUMN) if PERIOD_COLUMN in known else None
    index = known.index(name)

    def join_cells(row: list[Any]) -> Any:
        if YEAR.search(cell_text(row[index])):
            return row[index]
        if "year" not in parts:
            return f"{cell_text(row[period])[:4]}-{cell_text(row[index])}" if period is not None else row[index]
        cells = [row[place] for place in places]
        text = None if name in ("week", "isoweek") else period_text(dict(zip(parts, cells)))
        return text or "-".join(map(cell_text, cells))

    rows = [[*row[:index], join_cells(row), *row[index + 1 :]] for row in table.rows]
    return ResultTable(table.columns, rows, table.about)


def without_mixed_usage(table: ResultTable, source: ResultTable, by: Sequence[str]) -> tuple[ResultTable, bool]:
    """Return the grouped *table* with null for usage that adds up different units, and whether there is any.

    *source* has the rows before grouping by *by*.
    """
    unit = find_unit_column(source)
    names = [column["name"] for column in table.columns]
    if unit is None or USAGE_COLUMN not in names or unit in by:
        return table, False
    keys = [column_index(source, column, "groupBy") for column in by]
    index, unit_index = names.index(USAGE_COLUMN), column_index(source, unit, "groupBy")
    units: dict[tuple[str, ...], set[str]] = {}
    for row in source.rows:
        units.setdefault(tuple(cell_text(row[key]) for key in keys), set()).add(cell_text(row[unit_index]))
    mixed = {key for key, values in units.items() if len(values) > 1}
    rows = [
        [*row[:index], None, *row[index + 1 :]] if tuple(map(cell_text, row[: len(by)])) in mixed else row
        for row in table.rows
    ]
    return ResultTable(table.columns, rows, table.about), bool(mixed)


def find_unit_column(table: ResultTable) -> str | None:
    """Return the column that shows the unit of usage, if the rows of *table* have several of its values."""
    known = {column["name"] for column in table.columns}
    unit = next((name for name in UNIT_COLUMNS if name in known), None)
    return unit if unit and USAGE_COLUMN in known and len(column_values(table, unit)) > 1 else None


class CoveredDays:
    """The days that the rows of a table cover, for costs per day."""

    def __init__(self, table: ResultTable, filters: Iterable[Condition]) -> None:
        """*table* has all rows; *filters* select some, and those on its period some of the days.

        Raise ApiError if the table does not state its period.
        """
        period = table.about.get("period")
        if not isinstance(period, dict) or not {"from", "to"} <= period.keys():
            raise ApiError("aggregate: this table has no period to divide by; use sum", kind="argument")
        within = Period(date.fromisoformat(period["from"]), date.fromisoformat(period["to"]))
        whole = _day_range(within)
        names = {column["name"] for column in table.columns}
        of_time = [condition for condition in filters if condition["column"] == PERIOD_COLUMN]
        spans = [whole]
        if of_time and PERIOD_COLUMN in names:
            values = column_values(filter_rows(table, of_time), PERIOD_COLUMN)
            own = map(_parse_day_range, values)
            spans = [range(max(span.start, whole.start), min(span.stop, whole.stop)) for span in own]
        self._days = DaySpans(spans)
        self._by_weekday = self._days.count_weekdays()
        # Cached by the text of a cell, because many rows have the same text.
        self._by_text: dict[str, int] = {}

    @property
    def count(self) -> int:
        """The number of all days."""
        return self._days.count

    def count_in(self, column: str, cell: Any) -> int:
        """Return the number of days that a cell of *column* covers; all days unless it is a column of time."""
        if column == WEEKDAY_COLUMN:
            return self._by_weekday.get(cell_text(cell), 0)
        if column not in (PERIOD_COLUMN, *CALENDAR_COLUMNS):
            return self.count
        text = cell_text(cell)
        if text not in self._by_text:
            self._by_text[text] = self._days.count_in(_parse_day_range(text))
        return self._by_text[text]


def _parse_day_range(text: str) -> range:
    """Return the ordinals of the days of a period as in a table; empty if the text is not a period."""
    try:
        period = parse_period(text.partition("T")[0], PERIOD_COLUMN, date.max).whole
    except ApiError:
        # A cell without a period covers no days, so nothing is divided by it.
        return range(0)
    return _day_range(period)


def _day_range(period: Period) -> range:
    return range(period.first.toordinal(), period.last.toordinal() + 1)


def list_partial_periods(table: ResultTable, columns: Iterable[str], days: CoveredDays) -> list[str]:
    """Return the periods in the *columns* of which *days* has only some days, such as "2026-11 (28 of 30 days)"."""
    known = [column["name"] for column in table.columns]
    cells = {
        (column, cell)
        for column in columns
        if column in known and column in (PERIOD_COLUMN, *CALENDAR_COLUMNS)
        for cell in column_values(table, column)
    }
    counts = {cell: (days.count_in(column, cell), len(_parse_day_range(cell))) for column, cell in cells}
    return [f"{cell} ({some} of {every} days)" for cell, (some, every) in sorted(counts.items()) if some < every]


def with_costs_per_day(
    table: ResultTable, by: Sequence[str], measures: Sequence[str], days: CoveredDays
) -> ResultTable:
    """Return the grouped sums of *table* divided by the days that each row covers; null where it covers no days."""
    names = [column["name"] for column in table.columns]
    places = [names.index(measure) for measure in measures if measure in names]
    rows = []
    for row in table.rows:
        count = min((days.count_in(column, cell) for column, cell in zip(by, row)), default=days.count)
        cells = list(row)
        for place in places:
            cells[place] = (
                float(to_decimal(row[place], MAX_QUANTITY) / count) if count and row[place] is not None else None
            )
        rows.append(cells)
    return ResultTable(table.columns, rows, table.about)


def row_description(table: ResultTable, numeric: Sequence[str]) -> str:
    """Return what one row of a table is: one for each combination of its columns without numbers."""
    columns = [column["name"] for column in table.columns if column["name"] not in numeric]
    listing = f"{', '.join(columns[:-1])} and {columns[-1]}" if len(columns) > 1 else "".join(columns)
    return f"rows, one for each {listing}" if listing else "rows"


def sum_columns(table: ResultTable, names: Iterable[str]) -> JsonObject:
    """Return the exact sums of columns."""
    return {
        name: sum(to_decimal(row[column_index(table, name, "")], MAX_QUANTITY) for row in table.rows) for name in names
    }
