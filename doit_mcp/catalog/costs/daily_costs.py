"""Costs by day, from the rows of a query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from ...protocol.jsonrpc import JsonObject
from ..tables import column_names, complete_rows, row_days
from .amounts import ZERO, to_decimal


def cost_by_day(answer: JsonObject, rows_key: str = "rows", column: str = "cost") -> dict[date, Decimal]:
    """Return the cost of each day that has rows; rows with an unreadable date are skipped."""
    names = column_names(answer)
    if column not in names:
        return {}
    at = names.index(column)
    costs: dict[date, Decimal] = {}
    for day, row in zip(row_days(answer, rows_key), complete_rows(answer, rows_key), strict=False):
        if day is not None:
            costs[day] = costs.get(day, ZERO) + to_decimal(row[at])
    return costs


def find_day_over(costs: Mapping[date, Decimal], limit: Decimal) -> date | None:
    """Return the first day at the end of which the costs so far exceed *limit*; None if they never do."""
    total = ZERO
    for day in sorted(costs):
        total += costs[day]
        if total > limit:
            return day
    return None
