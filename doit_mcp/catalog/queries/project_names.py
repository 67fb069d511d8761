"""The column with the names of projects beside their ids in the rows of a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..tables import column_names
from .period_column import ROW_LISTS

ID_COLUMN, NAME_COLUMN = "project_id", "project_name"


def needs_project_names(config: JsonObject) -> bool:
    """Return whether rows have ids of projects without their names."""
    columns = {column.get("id") for column in (*(config.get("group") or ()), *(config.get("dimensions") or ()))}
    return ID_COLUMN in columns and NAME_COLUMN not in columns


def with_project_names(answer: JsonObject, names: Mapping[str, str] | None) -> JsonObject:
    """Return a query's response with the name of each project after its id; unchanged without *names*.

    The name is null if it is unknown.
    """
    columns = column_names(answer)
    if names is None or ID_COLUMN not in columns or NAME_COLUMN in columns:
        return answer
    place = columns.index(ID_COLUMN)

    def name_project(row: Any) -> Any:
        if not isinstance(row, list) or len(row) != len(columns):
            return row
        return [*row[: place + 1], names.get(str(row[place])), *row[place + 1 :]]

    lists = {key: [name_project(row) for row in answer[key]] for key in ROW_LISTS if isinstance(answer.get(key), list)}
    kept = answer["columns"]
    column = {"name": NAME_COLUMN, "type": "string"}
    return {**answer, **lists, "columns": [*kept[: place + 1], column, *kept[place + 1 :]]}
