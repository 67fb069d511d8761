"""The series of budgets: spent, forecast and limit of each."""

from __future__ import annotations

from collections.abc import Iterable

from ...protocol.jsonrpc import JsonObject
from ..tools.series import Row, Series, make_columns
from .status import BudgetStatus


def budget_series(budgets: Iterable[tuple[JsonObject, BudgetStatus]]) -> Series:
    """Return one row for each budget, which is given as its row in a list and its status. Null means unknown.

    *crossesOn* is the day on which the limit was or will be exceeded.
    """
    return {
        "name": "budgets",
        "kind": "budgets",
        "columns": [
            *make_columns("id", "name"),
            *make_columns("actual", "forecast", "limit", unit="money"),
            *make_columns("currency", "status", "crossesOn", "from", "to"),
        ],
        "rows": [_budget_row(row, status) for row, status in budgets],
    }


def _budget_row(row: JsonObject, status: BudgetStatus) -> Row:
    crosses, period = status.exceeded_on or status.breaks_on, status.period
    return [
        *(row.get("id"), row.get("budgetName")),
        *(status.spent, status.forecast, status.limit),
        *(row.get("currency"), status.status, None if crosses is None else crosses.isoformat()),
        *((None, None) if period is None else (period.first.isoformat(), period.last.isoformat())),
    ]
