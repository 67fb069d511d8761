"""Query rows: read from the ledger, filtered by metric and limits, sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .ledger import BUSINESS_METRICS, DAY_COLUMNS, MEASURES, Ledger, Selection
from .money import MICRO
from .query_plan import COUNT_INDEX, VALUE_NAMES, Limit, MetricFilter, QueryPlan
from .ranges import DayRange

Key = tuple[str | None, ...]


class Row(NamedTuple):  # tens of thousands per query: a tuple takes half the time of a dataclass to create
    """A combination of the plan's columns: *key* is their values, *start* that of its period, *values* by measure."""

    key: Key
    start: int | None
    values: tuple[int, ...]


def read_rows(plan: QueryPlan, ledger: Ledger, range_: DayRange, selection: Selection) -> list[Row]:
    """The rows of a range, ordered by key; values are millionths, then a count if requested."""
    business = sorted(measure for measure in plan.needed_measures if measure >= len(MEASURES))
    if not business:
        return _billing_rows(plan, ledger, range_, selection)
    rows = _billing_rows(plan, ledger, range_, selection) if len(business) < len(plan.needed_measures) else []
    padded = [Row(row.key, row.start, row.values + (0,) * len(BUSINESS_METRICS)) for row in rows]
    for measure in business:
        padded += _metric_rows(plan, ledger, range_, selection, measure)
    return merge_rows(padded)


def merge_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows summed by key and period, in order of first appearance."""
    sums: dict[tuple[Key, int | None], tuple[int, ...]] = {}
    for row in rows:
        before = sums.get((row.key, row.start))
        sums[row.key, row.start] = tuple(map(sum, zip(before, row.values))) if before else row.values
    return [Row(key, start, values) for (key, start), values in sums.items()]


def _metric_rows(
    plan: QueryPlan, ledger: Ledger, range_: DayRange, selection: Selection, measure: int
) -> Iterator[Row]:
    """The rows of a business metric. Its events have a dataset, and no other values of billing lines."""
    metric = next((item for item in ledger.metrics if item.name == VALUE_NAMES[measure]), None)
    if metric is None or not all(
        item.keeps(metric.dataset if item.dimension.id == "cloud_provider" else None)
        for item in plan.filters
        if item.dimension.table == "series"
    ):
        return
    of_days = [column.source for column in plan.columns if column.source in DAY_COLUMNS]
    starts = [plan.interval.start] if plan.interval.start else []
    for *values, units in ledger.units(
        metric.name, [*map(str, of_days), *starts], range_.first, range_.last, selection.days
    ):
        known = dict(zip(of_days, values), cloud_provider=metric.dataset)
        key = tuple(known.get(column.source) if isinstance(column.source, str) else None for column in plan.columns)
        amounts = tuple(int(units or 0) if at == measure else 0 for at in range(len(VALUE_NAMES)))
        yield Row(key, int(values[-1] or 0) if starts else None, amounts)  # type: ignore[arg-type]  # columns are texts


def _billing_rows(plan: QueryPlan, ledger: Ledger, range_: DayRange, selection: Selection) -> list[Row]:
    sources = [column.source for column in plan.columns]
    width = len(sources)
    marks = ([plan.interval.start] if plan.interval.start else []) + ([plan.count_source] if plan.count_source else [])
    found = ledger.sums([*sources, *marks], range_.first, range_.last, selection)
    at = width + len(marks)
    # SQLite rows are untyped: first the requested texts, then integers. Hence the three type checker exceptions here
    # and below.
    if plan.count_source:
        return _count_rows(plan, found, width, at)
    if plan.interval.start:
        return [Row(row[:width], row[width], row[at:]) for row in found]  # type: ignore[arg-type]  # text, integers
    return [Row(row[:width], None, row[at:]) for row in found]  # type: ignore[arg-type]  # text, integers


def narrow_rows(plan: QueryPlan, rows: list[Row]) -> list[Row]:
    """The rows that pass the metric filter and the limits; limited groups are ordered by rank."""
    if plan.metric_filter:
        rows = _filter_rows(plan, plan.metric_filter, rows)
    ranks: dict[Key, int] = {}
    for limit in plan.limits:
        kept = _rank_groups(rows, limit)
        ranks |= kept
        rows = [row for row in rows if row.key[: limit.level + 1] in kept]
    if not ranks:
        return rows
    width = len(plan.groups)
    return sorted(rows, key=lambda row: _rank_key(row.key[:width], ranks))


def series_key(plan: QueryPlan, row: Row) -> Key:
    """The groups of a row: a series is all periods with the same groups."""
    return row.key[: len(plan.groups)]


def sum_by(rows: Iterable[Row], key_of: Callable[[Row], object], measure: int) -> dict[object, int]:
    """The sums of the measure over the rows with equal *key_of*."""
    sums: dict[object, int] = {}
    for row in rows:
        sums[key_of(row)] = sums.get(key_of(row), 0) + row.values[measure]
    return sums


def cumulative_rows(plan: QueryPlan, rows: Sequence[Row]) -> list[Row]:
    """Cumulative values of each series from the start of the range; the rows keep their order."""
    width = len(plan.groups) + len(plan.splits)
    so_far: dict[Key, tuple[int, ...]] = {}
    found = list(rows)
    for index in sorted(range(len(rows)), key=lambda index: rows[index].start or 0):
        row = rows[index]
        before = so_far.get(row.key[:width], (0,) * len(row.values))
        so_far[row.key[:width]] = values = tuple(old + new for old, new in zip(before, row.values))
        found[index] = Row(row.key, row.start, values)
    return found


def _count_rows(plan: QueryPlan, found: Sequence[tuple[str | int | None, ...]], width: int, at: int) -> list[Row]:
    sums: dict[tuple[Key, int | None], list[int]] = {}
    for row in found:
        start = row[width] if plan.interval.start else None
        totals = sums.setdefault((row[:width], start), [0] * (COUNT_INDEX + 1))  # type: ignore[arg-type]  # still a key
        for index, value in enumerate(row[at:]):
            totals[index] += int(value or 0)
        # Lines without the value do not count.
        totals[COUNT_INDEX] += row[at - 1] is not None
    return [Row(key, start, tuple(totals)) for (key, start), totals in sums.items()]


def _filter_rows(plan: QueryPlan, metric_filter: MetricFilter, rows: list[Row]) -> list[Row]:
    passes = _make_predicate(metric_filter)
    if not metric_filter.by_series:
        return [row for row in rows if passes(row.values[metric_filter.measure])]
    totals = sum_by(rows, lambda row: series_key(plan, row), metric_filter.measure)
    return [row for row in rows if passes(totals[series_key(plan, row)])]


def _make_predicate(metric_filter: MetricFilter) -> Callable[[int], bool]:
    low = metric_filter.values[0] * MICRO
    high = metric_filter.values[-1] * MICRO
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
    return tests[metric_filter.operator]


def _rank_groups(rows: list[Row], limit: Limit) -> dict[Key, int]:
    """The groups within the limit, with their rank; all of them without a count."""
    totals: dict[Key, int] = {}
    for row in rows:
        group = row.key[: limit.level + 1]
        totals[group] = totals.get(group, 0) + row.values[limit.measure]
    if limit.sort == "a_to_z":
        order = sorted(totals, key=_name_key)
    else:
        sign = -1 if limit.sort == "desc" else 1
        order = sorted(totals, key=lambda group: (sign * totals[group], _name_key(group)))
    kept: dict[Key, int] = {}
    taken: dict[Key, int] = {}
    for group in order:
        rank = taken.get(group[:-1], 0)
        if not limit.count or rank < limit.count:
            kept[group] = taken[group[:-1]] = rank
            taken[group[:-1]] += 1
    return kept


def _name_key(group: Key) -> tuple[tuple[bool, str], ...]:
    # Lines without a value come first, as in the ledger.
    return tuple((value is not None, value or "") for value in group)


def _rank_key(series: Key, ranks: dict[Key, int]) -> list[tuple[int, bool, str]]:
    return [(ranks.get(series[: level + 1], 0), value is not None, value or "") for level, value in enumerate(series)]
