"""The series of unit_cost: cost, units and their quotient by month, units by day, and groups."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO
from ..costs.cost_series import list_provisional_periods
from ..costs.group_costs import CostRow, cost_by_period
from ..periods.parts import split_period
from ..periods.period import ReportedPeriod
from ..tools.series import Series, make_columns

FIGURES = (
    *make_columns("cost", unit="money"),
    *make_columns("units", unit="count"),
    *make_columns("unitCost", unit="moneyPerUnit"),
)


def unit_series(result: JsonObject, daily_units: Sequence[CostRow], period: ReportedPeriod) -> list[Series]:
    """Return the series of a *result* of unit_cost, and the *daily_units* on each day of *period*."""
    months = list(split_period(period.elapsed, "month"))
    by_month: Series = {
        "name": "unit cost by month",
        "kind": "time",
        "interval": "month",
        "columns": [*make_columns("period"), *FIGURES],
        "rows": [[row["period"], *_read_figures(row)] for row in result.get("periods", ())],
        "provisional": list_provisional_periods(months, period.final_through),
    }
    groups: Series = {
        "name": "unit cost by group",
        "kind": "bars",
        "columns": [*make_columns("id", "name"), *FIGURES],
        "rows": [[row["id"], row["name"], *_read_figures(row)] for row in result.get("groups", ())],
    }
    units = cost_by_period(daily_units)
    days = list(split_period(period.elapsed, "day")) if units else []
    by_day: Series = {
        "name": "units by day",
        "kind": "time",
        "interval": "day",
        "columns": [*make_columns("period"), *make_columns("units", unit="count")],
        "rows": [[day.label, float(units.get(day.label, ZERO))] for day in days],
    }
    return [by_month, groups, by_day]


def _read_figures(row: JsonObject) -> list[float | None]:
    return [row["cost"], row["units"], row["unitCost"]]
