"""The period column of query results: one ISO text instead of the columns year, month, day and timestamp."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ...protocol.jsonrpc import JsonObject

PERIOD_COLUMN = "period"
TIMESTAMP_TYPE = "timestamp"
MONTH_PARTS = ("year", "quarter", "month", "day", "hour")
"""Columns that together name one period, from the longest to the shortest."""
WEEK_PARTS = ("week", "isoweek")
MAX_TIMESTAMP_SECONDS = 100_000_000_000
"""Larger timestamps are milliseconds."""
NUMBER = re.compile(r"[0-9]{1,9}")
ROW_LISTS = ("rows", "secondaryRows", "forecastRows")


def with_period_column(answer: JsonObject, columns_key: str = "columns") -> JsonObject:
    """Return a query's response with the column "period" instead of its columns of time.

    The period is null in rows that lack a part of the time. Without the column year, the columns of time are kept,
    because a month or a weekday alone is not a period. Timestamps are always removed.
    """
    columns = answer.get(columns_key)
    if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
        return answer
    layout = _TimeLayout(columns)
    if not layout.removed:
        return answer
    rows = {key: layout.convert_rows(answer[key]) for key in ROW_LISTS if isinstance(answer.get(key), list)}
    return {**answer, columns_key: layout.converted_columns, **rows}


class _TimeLayout:
    """Where the columns of time are in a row, and which of them the period replaces."""

    def __init__(self, columns: Sequence[JsonObject]) -> None:
        self.columns = columns
        places = {str(column.get("name")): at for at, column in enumerate(columns)}
        timestamps = [at for at, column in enumerate(columns) if column.get("type") == TIMESTAMP_TYPE]
        self.timestamp = places.get("timestamp", timestamps[0] if timestamps else None)
        week = next((name for name in WEEK_PARTS if name in places and self._is_readable_week(name)), "")
        names = ("year", week) if week else _month_parts(places)
        self.parts: dict[str, int] = {name: places[name] for name in names} if "year" in places else {}
        self.removed = frozenset([*self.parts.values(), *timestamps])
        self.place = min(self.parts.values(), default=None)
        self._texts: dict[tuple[Any, ...], str | None] = {}

    def _is_readable_week(self, name: str) -> bool:
        # Numbers of weeks that start on Sunday have no common definition, so only the timestamp tells their days.
        return name == "isoweek" or self.timestamp is not None

    @property
    def converted_columns(self) -> list[JsonObject]:
        """The columns, with the period where the first column of time was."""
        return self._replace(self.columns, {"name": PERIOD_COLUMN, "type": "string"})

    def convert_rows(self, rows: Sequence[Any]) -> list[Any]:
        """Return the rows with their period; rows of another length are unchanged."""
        width = len(self.columns)
        return [
            self._replace(row, self._read_period(row)) if isinstance(row, list) and len(row) == width else row
            for row in rows
        ]

    def _replace(self, cells: Sequence[Any], period: Any) -> list[Any]:
        kept = []
        for at, cell in enumerate(cells):
            if at == self.place:
                kept.append(period)
            elif at not in self.removed:
                kept.append(cell)
        return kept

    def _read_period(self, row: Sequence[Any]) -> str | None:
        timestamp = None if self.timestamp is None else row[self.timestamp]
        key = (timestamp, *(row[at] for at in self.parts.values()))
        if any(isinstance(cell, list | dict) for cell in key):
            return None
        if key not in self._texts:
            self._texts[key] = period_text(dict(zip(self.parts, key[1:])), timestamp)
        return self._texts[key]


def _month_parts(places: Mapping[str, int]) -> list[str]:
    """Return the columns that name a period. A day without its month, or an hour without its day, does not."""
    parts = [name for name in MONTH_PARTS[:3] if name in places]
    for name, longer in (("day", "month"), ("hour", "day")):
        if name in places and longer in parts:
            parts.append(name)
    return parts


def period_text(parts: Mapping[str, Any], timestamp: Any = None) -> str | None:
    """Return the period that the cells *parts* name: 2026, 2026-Q3, 2026-10, 2026-10-05, or the two days of a week.

    None if a cell is missing or not a number.
    """
    numbers = {name: _first_number(cell) for name, cell in parts.items()}
    year = numbers.get("year")
    if year is None or any(number is None for number in numbers.values()):
        return None
    try:
        if "week" in numbers or "isoweek" in numbers:
            first = _day_of_timestamp(timestamp) or date.fromisocalendar(year, numbers["isoweek"] or 0, 1)
            return f"{first.isoformat()}/{(first + timedelta(days=6)).isoformat()}"
        if "month" not in numbers:
            return f"{year:04}-Q{numbers['quarter']}" if "quarter" in numbers else f"{year:04}"
        first = date(year, numbers["month"] or 0, numbers.get("day") or 1)
    except (ValueError, KeyError, OverflowError):
        return None
    if "hour" in numbers:
        return f"{first.isoformat()}T{numbers['hour']:02}:00"
    return first.isoformat() if "day" in numbers else first.isoformat()[:7]


def _first_number(cell: Any) -> int | None:
    """Return the number in a cell such as 10, "10", "Q4" or "13:00"; the last number of "2026-10"."""
    if isinstance(cell, bool) or not isinstance(cell, int | str):
        return None
    numbers = NUMBER.findall(str(cell))
    if not numbers:
        return None
    return int(numbers[0] if ":" in str(cell) else numbers[-1])


def _day_of_timestamp(timestamp: Any) -> date | None:
    if not isinstance(timestamp, int | float) or isinstance(timestamp, bool):
        return None
    seconds = timestamp / 1000 if abs(timestamp) > MAX_TIMESTAMP_SECONDS else timestamp
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, ValueError, OSError):
        return None
