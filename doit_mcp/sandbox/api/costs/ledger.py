"""Ledger: billing lines of one customer in an in-memory SQLite database, with exact sums."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .activity import SETTLING_DAYS, Activity
from .calendar_days import add_months, day_row, start_of
from .estate_series import make_jumps, make_series
from .estate_types import Estate
from .metric_events import metric_rows
from .usage_series import COLUMNS, Series

HISTORY_MONTHS = 13  # complete months before the current one
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
# Columns that are the same for all days of a month.
MONTH_COLUMNS = frozenset({"year", "quarter", "month", "month_start", "quarter_start", "year_start"})
MEASURES = ("cost", "usage", "savings", "amortized_cost")
BUSINESS_METRICS = ("orders", "customers")  # of DataHub events
MAX_CACHED_SELECTIONS = 256  # selections with cached daily costs


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of lines: series ids and days (None: all), with or without promotional credits."""

    series: frozenset[int] | None = None
    days: frozenset[int] | None = None
    credits: bool = False


class SeriesGroup(NamedTuple):
    """A named group of series."""

    id: str
    name: str
    series: frozenset[int]


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """A derived column: the name of the first part that contains the series, or *rest*."""

    parts: tuple[SeriesGroup, ...]
    rest: str | None = None

    def value(self, series: int) -> str | None:
        """The column's value for a series."""
        return next((part.name for part in self.parts if series in part.series), self.rest)

    def values(self) -> list[str]:
        """All non-null values of the column."""
        return list(dict.fromkeys([*(part.name for part in self.parts), *([self.rest] if self.rest else [])]))


ColumnSource = str | DerivedColumn
"""A column of the ledger, or one derived from its series."""


class Ledger:
    """Billing lines from the first day of the month 13 months ago to today; new days are added as time passes.

    The figures of the last days are incomplete, and settle as time passes. Table ``events`` has the events of business
    metrics.
    """

    def __init__(self, estate: Estate, *, seed: int, today: int) -> None:
        self.first = add_months(start_of("month", today), -HISTORY_MONTHS)
        self.last = self.first - 1
        self.jumps = make_jumps(estate, today)
        self.metrics = estate.metrics
        self._seed = seed
        self._series = make_series(estate, seed, today)
        self._daily: dict[Selection, dict[int, int]] = {}
        # Used by one thread at a time, but not always the one that created it.
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        # Callers need not close a ledger, but Python 3.13 warns of SQLite connections that are freed open.
        self._finalizer = weakref.finalize(self, self._database.close)
        self._create_tables()
        self.extend(today)

    def close(self) -> None:
        """Free the memory."""
        self._finalizer()

    def copy_to(self, database: sqlite3.Connection) -> None:
        """Copy all lines to another database, for queries of one's own."""
        self._database.backup(database)

    def extend(self, today: int) -> None:
        """Add the lines of new days up to *today*, and update those that have not settled."""
        if today <= self.last:
            return
        added, changed = self.last + 1, max(self.first, self.last + 1 - SETTLING_DAYS)
        month = start_of("month", changed)
        self._database.execute("BEGIN")
        self._insert("days", [day_row(day) for day in range(added, today + 1)])
        self._database.execute("DELETE FROM lines WHERE day >= ?", (changed,))
        self._insert("lines", _line_rows(self._series, Activity(self._seed, changed, today)))
        self._database.execute("DELETE FROM months WHERE day >= ?", (month,))
        self._database.execute(
            f"""INSERT INTO months SELECT month_start, series, {", ".join(f"SUM({name})" for name in MEASURES)}
            FROM lines JOIN days ON day_start = day WHERE day >= ? GROUP BY month_start, series""",
            (month,),
        )
        self._insert("events", metric_rows(self.metrics, self._seed, added, today))
        self._database.execute("COMMIT")
        self._daily.clear()
        self.last = today

    def members(self, table: str, column: ColumnSource) -> list[tuple[int, str | None]]:
        """(id, value) of every series or day, for filters. *table* is ``series`` or ``days``."""
        if isinstance(column, DerivedColumn):
            return [(series, column.value(series)) for series in range(len(self._series))]
        key = "series" if table == "series" else "day_start"
        return self._database.execute(f"SELECT {key}, {column} FROM {table} ORDER BY {key}").fetchall()

    def sums(
        self, columns: Sequence[ColumnSource], first: int, last: int, selection: Selection = Selection()
    ) -> list[tuple[str | int | None, ...]]:
        """The values of *columns*, then the measures in millionths, for each combination with lines.

        Names in *columns* come from COLUMNS and DAY_COLUMNS only, because they become part of the statement.
        """
        own = {column for column in columns if isinstance(column, str)}
        _check_columns(own)
        terms, labels = _select_terms(columns)
        measured = ", ".join(f"SUM({name})" for name in MEASURES)
        names = [column if isinstance(column, str) else f"made{at}" for at, column in enumerate(columns)]
        # The day determines the other columns of days, so fewer of them have to be compared.
        grouped = [name for name in names if name == "day_start" or not {name, "day_start"} <= set(DAY_COLUMNS) & own]
        source, bounds = self._source(own, first, last, selection)
        statement = f"SELECT {', '.join([*terms, measured])} FROM {source}" + _join_clauses(own)
        statement += " WHERE TRUE" + _where_conditions(selection)
        grouping = f" GROUP BY {', '.join(grouped)} ORDER BY {', '.join(names)}"
        statement += grouping if names else " HAVING COUNT(*) > 0"
        return self._database.execute(statement, (*labels, *bounds)).fetchall()

    def _source(
        self, columns: Collection[str], first: int, last: int, selection: Selection
    ) -> tuple[str, tuple[int, ...]]:
        """The lines of a range, or the sums of its whole months and the lines of the other days; and their bounds."""
        lines = "SELECT * FROM lines WHERE day BETWEEN ? AND ?"
        start = first if start_of("month", first) == first else add_months(start_of("month", first), 1)
        end = start_of("month", last + 1) if last < self.last else add_months(start_of("month", self.last), 1)
        by_day = set(columns) & set(DAY_COLUMNS) - MONTH_COLUMNS
        if by_day or selection.days is not None or start >= end:
            return f"({lines}) AS lines", (first, last)
        months = "SELECT * FROM months WHERE day >= ? AND day < ?"
        return (
            f"({months} UNION ALL {lines} UNION ALL {lines}) AS lines",
            (start, end, first, start - 1, end, max(last, end - 1)),
        )

    def units(
        self, metric: str, columns: Sequence[str], first: int, last: int, days: Collection[int] | None = None
    ) -> list[tuple[str | int | None, ...]]:
        """The values of day *columns*, then the units of a business metric in millionths, for each combination.

        With *days*, only of these days.
        """
        _check_columns(columns)
        names = ", ".join(columns)
        statement = f"SELECT {', '.join([*columns, 'SUM(units)'])} FROM events JOIN days ON day_start = day"
        statement += " WHERE metric = ? AND day BETWEEN ? AND ?" + _days_condition("day", days)
        statement += f" GROUP BY {names} ORDER BY {names}" if names else " HAVING COUNT(*) > 0"
        return self._database.execute(statement, (metric, first, last)).fetchall()

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
        sums = ", ".join(f"{name} INTEGER" for name in MEASURES)
        self._database.executescript(
            f"""CREATE TABLE series (series INTEGER PRIMARY KEY, {", ".join(COLUMNS)});
            CREATE TABLE days (day_start INTEGER PRIMARY KEY, {", ".join(DAY_COLUMNS[1:])});
            CREATE TABLE lines (day INTEGER, series INTEGER, {sums}, PRIMARY KEY (day, series)) WITHOUT ROWID;
            CREATE TABLE months (day INTEGER, series INTEGER, {sums}, PRIMARY KEY (day, series)) WITHOUT ROWID;
            CREATE TABLE events (day INTEGER, metric TEXT, units INTEGER);"""
        )
        self._insert("series", [(index, *series.values) for index, series in enumerate(self._series)])

    def _insert(self, table: str, rows: Sequence[tuple[str | int | None, ...]]) -> None:
        if not rows:
            return
        marks = ", ".join("?" * len(rows[0]))
        self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _line_rows(series: Sequence[Series], activity: Activity) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = [
        (line[0], index, *line[1:]) for index, item in enumerate(series) for line in item.lines(activity)
    ]
    rows.sort()
    return rows


def _check_columns(columns: Collection[str]) -> None:
    unknown = set(columns) - set(COLUMNS) - set(DAY_COLUMNS)
    if unknown:
        raise ValueError(f"no such columns: {sorted(unknown)}")


def _select_terms(columns: Sequence[ColumnSource]) -> tuple[list[str], list[str | None]]:
    """The terms to select, and the values of their placeholders."""
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
    # The ids are integers of the ledger, so inlining them is safe; placeholders would exceed SQLite's limit.
    parts = []
    if selection.series is not None:
        parts.append(f"series IN ({', '.join(map(str, sorted(selection.series)))})")
    if not selection.credits:
        parts.append("series IN (SELECT series FROM series WHERE cost_type <> 'credit')")
    return "".join(f" AND {part}" for part in parts) + _days_condition("lines.day", selection.days)


def _days_condition(column: str, days: Collection[int] | None) -> str:
    return "" if days is None else f" AND {column} IN ({', '.join(map(str, sorted(days)))})"
