"""Amounts in the rows of queries: rounded to the currency's minor unit, and the difference from the total."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import amount_as_json, round_amount, sum_amounts, to_decimal
from ..tables import column_names, complete_rows
from .period_column import ROW_LISTS


def with_rounded_columns(
    answer: JsonObject, metrics: Collection[str], currency: str, columns_key: str = "columns"
) -> JsonObject:
    """Return a query's response with its columns *metrics* rounded to the minor unit of *currency*."""
    columns = answer.get(columns_key)
    if not isinstance(columns, list):
        return answer
    names = column_names({"columns": columns})
    places = [at for at, name in enumerate(names) if name in metrics]
    lists = {
        key: [_round_row(row, places, len(names), currency) for row in answer[key]]
        for key in ROW_LISTS
        if isinstance(answer.get(key), list)
    }
    return {**answer, **lists} if places else answer


def _round_row(row: Any, places: list[int], width: int, currency: str) -> Any:
    if not isinstance(row, list) or len(row) != width:
        return row
    cells = list(row)
    for place in places:
        if isinstance(cells[place], float):
            cells[place] = amount_as_json(to_decimal(cells[place]), currency)
    return cells


def total_differences(answer: JsonObject, total: JsonObject, currency: str) -> JsonObject:
    """Return the *total* minus the sum of the rows of each metric, where it is not zero.

    The differences come from rounding each row, and from rows that limits leave out.
    """
    names, rows = column_names(answer), complete_rows(answer)
    differences = {
        metric: round_amount(Decimal(repr(amount)) - sum_amounts(row[names.index(metric)] for row in rows), currency)
        for metric, amount in total.items()
        if metric in names
    }
    return {metric: float(difference) for metric, difference in differences.items() if difference}
