"""Checks the values in conditions on a stored table. If no row has a value, the error names the nearest ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import islice

from ...api.errors import ApiError
from ...api.nearest import unknown_value_error
from ...protocol.json_schema import short_json
from ..periods.grammar import MAX_LAST_DAYS, MAX_LAST_MONTHS
from ..periods.suggestions import suggest_period
from ..tools.result_handles import ResultTable
from .grouping import column_values
from .period_column import PERIOD_COLUMN
from .table_operations import Condition, measure_names

MAX_COMPARED_VALUES = 5_000
"""Maximum number of values of a column to compare with an unknown value, at about 5 µs each."""
MAX_CELL_CHARACTERS = 300
"""Longer cells are not suggested."""


def check_condition_values(table: ResultTable, conditions: Iterable[Condition]) -> None:
    """Raise ApiError for a value of an "is" or "not" condition that no row of *table* has, except numbers.

    The columns of the conditions must exist.
    """
    numeric = measure_names(table)
    values: dict[str, set[str]] = {}
    for condition in conditions:
        column = condition["column"]
        if condition["op"] not in ("is", "not") or column in numeric:
            continue
        if column not in values:
            values[column] = column_values(table, column)
        known = values[column]
        for wanted in condition["values"]:
            if wanted not in known:
                raise _unknown_value_error(table, column, wanted, known)


def _unknown_value_error(table: ResultTable, column: str, wanted: str, known: set[str]) -> ApiError:
    if column == PERIOD_COLUMN and (error := _unknown_period_error(table, wanted, known)):
        return error
    short = (value for value in sorted(known) if 0 < len(value) <= MAX_CELL_CHARACTERS)
    return unknown_value_error("filters", column, wanted, list(islice(short, MAX_COMPARED_VALUES)))


def _unknown_period_error(table: ResultTable, wanted: str, known: set[str]) -> ApiError | None:
    """Return the error for a period that the rows have in a different form or in shorter parts; otherwise None."""
    last_day = str((table.about.get("period") or {}).get("to") or max(known))[: len("2026-10-05")]
    meant = suggest_period(wanted, _parse_day(last_day), MAX_LAST_DAYS, MAX_LAST_MONTHS)
    for text in filter(None, (wanted, meant)):
        if text in known:
            return ApiError(
                f"filters: the data has no period {short_json(wanted)}. Did you mean {short_json(text)}?",
                kind="argument",
            )
        if any(value.startswith(text) for value in known):
            condition = {"column": PERIOD_COLUMN, "op": "starts_with", "values": [text]}
            return ApiError(
                f"filters: the rows are for shorter periods than {short_json(wanted)}. Use {short_json(condition)}",
                kind="argument",
            )
    return None


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        # The table does not state a period, so months without a year match those of any year.
        return date.max
