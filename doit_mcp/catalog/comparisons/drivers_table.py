"""All drivers of a change as a table that query_result reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO, round_amount
from ..tools.result_handles import ResultTable
from .causes import CAUSES, Causes, round_causes, total_causes
from .drivers import CostDriver, driver_row
from .explanation import ChangeBasis, DimensionChange
from .final_days import Totals

ONE_AT_A_TIME = {"oneAtATime": "dimension"}
"""Member of a stored table's *about*: rows of different dimensions are the same costs, so they do not add up."""
CAUSE_COLUMNS = tuple((cause, f"by{cause.capitalize()}") for cause in CAUSES)
"""The causes, and the columns of a stored table that have them; the rows of SKUs add up to the causes of the change."""
TABLE_COLUMNS = (
    *((name, "string") for name in ("dimension", "name", "id", "status")),
    *((name, "float") for name in ("before", "after", "change")),
    *((column, "float") for _, column in CAUSE_COLUMNS),
)
PROVISIONAL, PROVISIONAL_COLUMN = "provisional", "byProvisional"
"""The row of each dimension with the days that are not compared, and the column with their part of the change."""


def drivers_table(
    changes: Sequence[DimensionChange],
    totals: Totals,
    basis: ChangeBasis,
    about: JsonObject,
    provisional: JsonObject | None = None,
) -> ResultTable:
    """Return all drivers as a table. The rows of each dimension add up to the totals, those of SKUs also to the causes.

    The last row of a dimension has the remainder, such as differences from rounding; another one has the *provisional*
    days, if any.
    """
    start, end = (round_amount(total, basis.currency) for total in totals)
    columns = TABLE_COLUMNS if provisional is None else (*TABLE_COLUMNS, (PROVISIONAL_COLUMN, "float"))
    rows: list[list[Any]] = []
    for change in changes:
        rest = CostDriver(
            "other",
            start - sum((driver.before for driver in change.drivers), ZERO),
            end - sum((driver.after for driver in change.drivers), ZERO),
        )
        causes = driver_causes(change, totals, basis) or [{}] * (len(change.drivers) + 1)
        named = [driver_row(driver, change.name_of(driver)) for driver in change.drivers]
        if rest.before or rest.after or any(causes[-1].values()):
            named.append(driver_row(rest, "other"))
        for row, parts in zip(named, causes):
            row |= {column: float(parts[cause]) for cause, column in CAUSE_COLUMNS if cause in parts}
        if provisional is not None:
            named.append({**provisional, "name": PROVISIONAL, PROVISIONAL_COLUMN: provisional["change"]})
        rows += [[change.dimension.argument, *(row.get(name) for name, _ in columns[1:])] for row in named]
    return ResultTable([{"name": name, "type": kind} for name, kind in columns], rows, {**about, **ONE_AT_A_TIME})


def driver_causes(change: DimensionChange, totals: Totals, basis: ChangeBasis) -> list[Causes]:
    """Return the rounded causes of each driver, followed by the remainder of the total; empty without causes."""
    if not change.causes:
        return []
    currency = basis.currency
    before, after = totals
    rounded = [round_causes(parts, driver.change, currency) for parts, driver in zip(change.causes, change.drivers)]
    parts = total_causes(change.causes, before, after, basis.extra_days)
    total = round_causes(parts, round_amount(after, currency) - round_amount(before, currency), currency)
    return [*rounded, {name: total[name] - sum((parts[name] for parts in rounded), ZERO) for name in CAUSES}]
