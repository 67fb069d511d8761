"""Rows of a query: read from the ledger, narrowed by metric filter and limits, put in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .ledger import MEASURES, Ledger, Selection
from .money import MICRO
from .query_plan import COUNT, Limit, MetricFilter, Plan
from .ranges import Range

Key = tuple[str | None, ...]


class Row(NamedTuple):  # tens of thousands a query: a tuple is made in half the time of a record
    """One combination of the plan's columns: *key* their values, *start* of its period, *values* by measure."""

    key: Key
    start: int | None
    values: tuple[int, ...]


def rows_of(plan: Plan, ledger: Ledger, range_: Range, selection: Selection) -> list[Row]:
    """The rows of a range, in the order of their keys; values are millionths, then a count if one is asked."""
    sources = [column.source for column in plan.columns]
    width = len(sources)
    marks = ([plan.interval.start] if plan.interval.start else []) + ([plan.counted] if plan.counted else [])
    found = ledger.sums([*sources, *marks], range_.first, range_.last, selection)
    at = width + len(marks)
    # SQLite's rows have no types: first the texts that were asked for, then whole numbers. Hence the type checker's
    # three exceptions here and below.
    if plan.counted:
        return _counted(plan, found, width, at)
    if plan.interval.start:
        return [Row(row[:width], row[width], row[at:]) for row in found]  # type: ignore[arg-type]
    return [Row(row[:width], None, row[at:]) for row in found]  # type: ignore[arg-type]


def narrowed(plan: Plan, rows: list[Row]) -> list[Row]:
    """The rows that metric filter and limits leave, limited groups in their order of rank."""
    if plan.metric_filter:
        rows = _passing(plan, plan.metric_filter, rows)
    ranks: dict[Key, int] = {}
    for limit in plan.limits:
        kept = _ranked(rows, limit)
        ranks |= kept
        rows = [row for row in rows if row.key[: limit.level + 1] in kept]
    if not ranks:
        return rows
    width = len(plan.groups)
    return sorted(rows, key=lambda row: _order(row.key[:width], ranks))


def series_of(plan: Plan, row: Row) -> Key:
    """The groups a row belongs to: all its periods together are a series."""
    return row.key[: len(plan.groups)]


def summed(rows: Iterable[Row], part: Callable[[Row], object], measure: int) -> dict[object, int]:
    """The measure's sum of the rows that agree in *part*."""
    sums: dict[object, int] = {}
    for row in rows:
        sums[part(row)] = sums.get(part(row), 0) + row.values[measure]
    return sums


def running(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    """Each series' values added up from the start of the range; the rows keep their order."""
    width = len(plan.groups) + len(plan.splits)
    so_far: dict[Key, tuple[int, ...]] = {}
    found = list(rows)
    for index in sorted(range(len(rows)), key=lambda index: rows[index].start or 0):
        row = rows[index]
        before = so_far.get(row.key[:width], (0,) * len(MEASURES))
        so_far[row.key[:width]] = values = tuple(old + new for old, new in zip(before, row.values))
        found[index] = Row(row.key, row.start, values)
    return found


def _counted(plan: Plan, found: Sequence[tuple[str | int | None, ...]], width: int, at: int) -> list[Row]:
    sums: dict[tuple[Key, int | None], list[int]] = {}
    for row in found:
        start = row[width] if plan.interval.start else None
        totals = sums.setdefault((row[:width], start), [0] * (COUNT + 1))  # type: ignore[arg-type]
        for index, value in enumerate(row[at:]):
            totals[index] += int(value or 0)
        # A line without the value is counted as none.
        totals[COUNT] += row[at - 1] is not None
    return [Row(key, start, tuple(totals)) for (key, start), totals in sums.items()]


def _passing(plan: Plan, wanted: MetricFilter, rows: list[Row]) -> list[Row]:
    passes = _test(wanted)
    if not wanted.by_series:
        return [row for row in rows if passes(row.values[wanted.measure])]
    totals = summed(rows, lambda row: series_of(plan, row), wanted.measure)
    return [row for row in rows if passes(totals[series_of(plan, row)])]


def _test(wanted: MetricFilter) -> Callable[[int], bool]:
    low = wanted.values[0] * MICRO
    high = wanted.values[-1] * MICRO
    tests: dict[str, Callable[[int], bool]] = {
        "gt": lambda value: value > low,
        "lt": lambda value: value < low,
        "lte": lambda value: value <= low,
        "gte": lambda value: value >= low,
        "b": lambda value: low <= value <= high,
        "nb": lambda value: not low <= value <= high,
        "e": lambda value: value == low,
        "ne": lambda value: value != low,
    }
    return tests[wanted.operator]


def _ranked(rows: list[Row], limit: Limit) -> dict[Key, int]:
    """The groups that the limit keeps, each with its rank; without a count all of them."""
    totals: dict[Key, int] = {}
    for row in rows:
        group = row.key[: limit.level + 1]
        totals[group] = totals.get(group, 0) + row.values[limit.measure]
    if limit.sort == "a_to_z":
        order = sorted(totals, key=_by_name)
    else:
        sign = -1 if limit.sort == "desc" else 1
        order = sorted(totals, key=lambda group: (sign * totals[group], _by_name(group)))
    kept: dict[Key, int] = {}
    taken: dict[Key, int] = {}
    for group in order:
        rank = taken.get(group[:-1], 0)
        if not limit.count or rank < limit.count:
            kept[group] = taken[group[:-1]] = rank
            taken[group[:-1]] += 1
    return kept


def _by_name(group: Key) -> tuple[tuple[bool, str], ...]:
    # Lines without a value come first, as in the ledger.
    return tuple((value is not None, value or "") for value in group)


def _order(series: Key, ranks: dict[Key, int]) -> list[tuple[int, bool, str]]:
    return [(ranks.get(series[: level + 1], 0), value is not None, value or "") for level, value in enumerate(series)]
