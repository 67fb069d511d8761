"""Series of costs: by period, by group, and as changes from a start to an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from ...protocol.jsonrpc import JsonObject
from ..periods.parts import Interval, PeriodPart
from ..tools.series import Cell, Row, Series, SeriesColumn, SeriesDimension, make_columns
from .amounts import ZERO, round_amount
from .group_costs import RankedCosts, cost_by_period
from .groups import GroupDimension

BAR_COLUMNS = (
    *make_columns("id", "name", "part"),
    *make_columns("cost", unit="money"),
    *make_columns("share", unit="percent"),
)
WATERFALL_COLUMNS = (*make_columns("part", "id", "name"), *make_columns("amount", unit="money"))


def list_provisional_periods(parts: Iterable[PeriodPart], final_through: date | None) -> list[str]:
    """Return the labels of the *parts* with a day after the last one whose costs are final."""
    return [part.label for part in parts if final_through is None or part.covered.last > final_through]


def series_dimension(group: GroupDimension) -> SeriesDimension:
    """Return a dimension as a series states it."""
    return {"id": group.id, "type": group.type}


def time_series(
    name: str,
    interval: Interval,
    parts: Sequence[PeriodPart],
    total: Mapping[str, Decimal] | None,
    final_through: date | None,
    currency: str,
    groups: RankedCosts | None = None,
    bucket: Callable[[str], str] = str,
) -> Series:
    """Return the costs of each of the *parts*: the *total* if it is known, those of the *groups* shown, and the rest.

    *bucket* returns the part that a period in the rows of a group belongs to.
    """
    shown = [] if groups is None else [(group, cost_by_period(group.rows, bucket)) for group in groups.groups]
    columns: list[SeriesColumn] = [{"role": "period"}]
    columns += [{"role": "total", "unit": "money"}] if total is not None else []
    columns += [{"role": "group", "unit": "money", "id": group.id, "name": group.name} for group, _ in shown]
    columns += [{"role": "other", "unit": "money"}] if total is not None and shown else []
    rows: list[Row] = []
    for part in parts:
        costs = [round_amount(own.get(part.label, ZERO), currency) for _, own in shown]
        cells: list[Cell] = [part.label]
        if total is not None:
            whole = round_amount(total.get(part.label, ZERO), currency)
            cells.append(float(whole))
        cells += map(float, costs)
        if total is not None and shown:
            cells.append(float(whole - sum(costs, ZERO)))
        rows.append(cells)
    return {
        "name": name,
        "kind": "time",
        "interval": interval,
        "columns": columns,
        "rows": rows,
        "provisional": list_provisional_periods(parts, final_through),
    }


def bar_series(name: str, bars: Iterable[Row], other: Cell = None, other_share: Cell = None) -> Series:
    """Return the *bars* (id, name, cost, share), and the cost of everything else as the last one if it is known."""
    rows: list[Row] = [[id_, label, "group", *figures] for id_, label, *figures in bars]
    if rows and other is not None:
        rows.append([None, None, "other", other, other_share])
    return {"name": name, "kind": "bars", "columns": list(BAR_COLUMNS), "rows": rows}


def group_series(name: str, groups: Iterable[JsonObject], totals: JsonObject) -> Series:
    """Return the bars of the *groups* of a result (GroupCost) and of its *totals* (CostTotals)."""
    bars = [[group["id"], group["name"], group["cost"], group["sharePercent"]] for group in groups]
    return bar_series(name, bars, totals["other"], totals["otherSharePercent"])


def waterfall_series(
    name: str, start: float, changes: Iterable[tuple[str | None, str | None, float]], other: float | None, end: float
) -> Series:
    """Return the bars of a waterfall: *start*, *changes* (id, name, amount), *other* changes, and *end*, their sum."""
    rows: list[Row] = [["start", None, None, start]]
    rows += [["change", id_, label, amount] for id_, label, amount in changes]
    rows += [["other", None, None, other]] if other is not None else []
    rows.append(["end", None, None, end])
    return {"name": name, "kind": "waterfall", "columns": list(WATERFALL_COLUMNS), "rows": rows}
