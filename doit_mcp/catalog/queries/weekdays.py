"""Rows by weekday: from Monday to Sunday, with the number of days that each weekday has in the period."""

from __future__ import annotations

from calendar import day_name
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..periods.period import ONE_DAY, Period
from ..tables import column_names, is_numeric
from .grouping import WEEKDAY_COLUMN
from .period_column import ROW_LISTS

WEEKDAY_NOTE = (
    "Sums by weekday: divide by weekdayDays to compare. A fee of one day, such as on the 1st, counts for its weekday."
)


def has_weekdays(columns: list[JsonObject]) -> bool:
    """Return whether rows are split by weekday."""
    return WEEKDAY_COLUMN in column_names({"columns": columns})


def weekday_days(period: Period) -> JsonObject:
    """Return how many days of the period each weekday has."""
    counts = dict.fromkeys(day_name, 0)
    for offset in range(period.days):
        counts[day_name[(period.first + offset * ONE_DAY).weekday()]] += 1
    return counts


def with_weekday_order(answer: JsonObject, columns_key: str = "columns") -> JsonObject:
    """Return a query's response with the weekdays of each series from Monday to Sunday; others unchanged."""
    columns = answer.get(columns_key)
    if not isinstance(columns, list) or not has_weekdays(columns):
        return answer
    place = column_names({"columns": columns}).index(WEEKDAY_COLUMN)
    texts = [at for at, column in enumerate(columns) if not is_numeric(column) and at != place]
    lists = {key: _order_rows(answer[key], place, texts) for key in ROW_LISTS if isinstance(answer.get(key), list)}
    return {**answer, **lists}


def _order_rows(rows: list[Any], place: int, texts: list[int]) -> list[Any]:
    """Return the rows grouped by series, in the order of the first row of each series."""
    width = max([place, *texts])
    if not all(isinstance(row, list) and len(row) > width for row in rows):
        return rows
    weekdays = {name: number for number, name in enumerate(day_name)}
    series: dict[str, int] = {}
    for row in rows:
        series.setdefault(repr([row[at] for at in texts]), len(series))
    return sorted(
        rows,
        key=lambda row: (series[repr([row[at] for at in texts])], weekdays.get(str(row[place]), len(weekdays))),
    )
