"""Billing lines of one customer in an in-memory SQLite database, with exact sums over them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .calendar_days import add_months, day_row, start_of
from .catalog import Estate
from .usage_series import COLUMNS, Series, all_series, daily_lines, jumps

HISTORY_MONTHS = 13  # whole months before the current one
DAY_COLUMNS = (
    "day_start",
    "year",
    "quarter",
    "month",
    "day_of_month",
    "week_day",
    "week_year",
    "week",
    "iso_year",
    "isoweek",
    "week_start",
    "isoweek_start",
    "month_start",
    "quarter_start",
    "year_start",
)
MEASURES = ("cost", "usage", "savings")
MAX_CACHED_SELECTIONS = 256  # selections whose daily cost is remembered


@dataclass(frozen=True, slots=True)
class Selection:
    """Which lines count: series ids and days (None: all of them), with or without promotional credits."""

    series: frozenset[int] | None = None
    days: frozenset[int] | None = None
    credits: bool = False


class SeriesGroup(NamedTuple):
    """Some of the series, under a name."""

    id: str
    name: str
    series: frozenset[int]


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """A made-up column: a series has the name of the first part it is in, or *rest*."""

    parts: tuple[SeriesGroup, ...]
    rest: str | None = None

    def value(self, series: int) -> str | None:
        """The column's value of a series."""
        return next((part.name for part in self.parts if series in part.series), self.rest)

    def values(self) -> list[str]:
        """All values that the column may have, but for none."""
        return list(dict.fromkeys([*(part.name for part in self.parts), *([self.rest] if self.rest else [])]))


ColumnSource = str | DerivedColumn
"""A column that the ledger has, or one that is made of its series."""


class Ledger:
    """Lines from the first day of the month 13 months ago to today; days are added as the clock goes on."""

    def __init__(self, estate: Estate, *, seed: int, today: int) -> None:
        self.first = add_months(start_of("month", today), -HISTORY_MONTHS)
        self.last = self.first - 1
        self.jumps = jumps(estate, today)
        self._series = all_series(estate, seed, today)
        self._daily: dict[Selection, dict[int, int]] = {}
        # One thread at a time uses it, though not always the one that made it.
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._create_tables()
        self.extend(today)

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()

    def extend(self, today: int) -> None:
        """Add the lines of days that have come since."""
        if today <= self.last:
            return
        first = self.last + 1
        self._database.execute("BEGIN")
        self._insert("days", [day_row(day) for day in range(first, today + 1)])
        self._insert("lines", _line_rows(self._series, first, today))
        self._database.execute("COMMIT")
        self._daily.clear()
        self.last = today

    def members(self, table: str, column: ColumnSource) -> list[tuple[int, str | None]]:
        """(id, value) of every series or day: what filters look at. *table* is ``series`` or ``days``."""
        if isinstance(column, DerivedColumn):
            return [(series, column.value(series)) for series in range(len(self._series))]
        key = "series" if table == "series" else "day_start"
        return self._database.execute(f"SELECT {key}, {column} FROM {table} ORDER BY {key}").fetchall()

    def sums(
        self, columns: Sequence[ColumnSource], first: int, last: int, selection: Selection = Selection()
    ) -> list[tuple[str | int | None, ...]]:
        """The columns' values, then cost, usage and savings in millionths, for each combination that has lines.

        Names in *columns* come from COLUMNS and DAY_COLUMNS only (they are part of the statement).
        """
        own = {column for column in columns if isinstance(column, str)}
        unknown = own - set(COLUMNS) - set(DAY_COLUMNS)
        if unknown:
            raise ValueError(f"no such columns: {sorted(unknown)}")
        terms, labels = _select_terms(columns)
        measured = ", ".join(f"SUM({name})" for name in MEASURES)
        names = ", ".join(column if isinstance(column, str) else f"made{at}" for at, column in enumerate(columns))
        statement = f"SELECT {', '.join([*terms, measured])} FROM lines" + _join_clauses(own)
        statement += " WHERE lines.day BETWEEN ? AND ?" + _where_conditions(selection)
        statement += f" GROUP BY {names} ORDER BY {names}" if names else " HAVING COUNT(*) > 0"
        return self._database.execute(statement, (*labels, first, last)).fetchall()

    def daily(self, selection: Selection = Selection()) -> dict[int, int]:
        """The cost of each day in micro-dollars; days without lines are left out."""
        if selection not in self._daily:
            if len(self._daily) >= MAX_CACHED_SELECTIONS:
                self._daily.clear()
            rows = self.sums(("day_start",), self.first, self.last, selection)
            self._daily[selection] = {int(row[0] or 0): int(row[1] or 0) for row in rows}
        return self._daily[selection]

    def cost(self, first: int, last: int, selection: Selection = Selection()) -> int:
        """The cost of a range of days in micro-dollars."""
        return sum(cost for day, cost in self.daily(selection).items() if first <= day <= last)

    def _create_tables(self) -> None:
        self._database.executescript(
            f"""CREATE TABLE series (series INTEGER PRIMARY KEY, {", ".join(COLUMNS)});
            CREATE TABLE days (day_start INTEGER PRIMARY KEY, {", ".join(DAY_COLUMNS[1:])});
            CREATE TABLE lines (day INTEGER, series INTEGER, cost INTEGER, usage INTEGER, savings INTEGER,
                                PRIMARY KEY (day, series)) WITHOUT ROWID;"""
        )
        self._insert("series", [(index, *series.values) for index, series in enumerate(self._series)])

    def _insert(self, table: str, rows: Sequence[tuple[str | int | None, ...]]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _line_rows(series: Sequence[Series], first: int, last: int) -> list[tuple[int, ...]]:
    return sorted(
        (day, index, cost, usage, savings)
        for index, one in enumerate(series)
        for day, cost, usage, savings in daily_lines(one, first, last)
    )


def _select_terms(columns: Sequence[ColumnSource]) -> tuple[list[str], list[str | None]]:
    """What to select, and the names for its placeholders."""
    terms: list[str] = []
    labels: list[str | None] = []
    for at, column in enumerate(columns):
        if isinstance(column, str):
            terms.append(column)
            continue
        cases = " ".join(f"WHEN series IN ({', '.join(map(str, sorted(part.series)))}) THEN ?" for part in column.parts)
        terms.append(f"CASE {cases} ELSE ? END AS made{at}" if cases else f"? AS made{at}")
        labels += [*(part.name for part in column.parts), column.rest]
    return terms, labels


def _join_clauses(columns: Collection[str]) -> str:
    series = " JOIN series USING (series)" if set(columns) & set(COLUMNS) else ""
    days = " JOIN days ON day_start = lines.day" if set(columns) & set(DAY_COLUMNS) else ""
    return series + days


def _where_conditions(selection: Selection) -> str:
    # Ids are our own integers: a list of them is short, and needs no placeholders beyond SQLite's limit.
    parts = []
    if selection.series is not None:
        parts.append(f"series IN ({', '.join(map(str, sorted(selection.series)))})")
    if selection.days is not None:
        parts.append(f"lines.day IN ({', '.join(map(str, sorted(selection.days)))})")
    if not selection.credits:
        parts.append("series IN (SELECT series FROM series WHERE cost_type <> 'credit')")
    return "".join(f" AND {part}" for part in parts)
