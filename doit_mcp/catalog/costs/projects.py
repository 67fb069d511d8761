"""Names of projects, accounts and subscriptions by their ids."""

from __future__ import annotations

from ...api.report_config import QueryConfig
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..report_runs.queries import fetch_query
from ..tables import column_names, complete_rows

PROJECT_NAMES_FACT = "project_names"
MAX_NAMES_BYTES = 2 << 20
"""Maximum size of the cached names as JSON: about 30,000 projects, which take less than 10 ms to read."""
NAME_MONTHS = 13
"""Months of costs that are searched for projects."""


async def fetch_project_names(call: Call) -> dict[str, str]:
    """Return the names of projects with recent costs, by id, and cache them. Raise ApiError."""
    remembered: dict[str, str] | None = call.facts.get(PROJECT_NAMES_FACT)
    if remembered is not None:
        return remembered
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "currency": "USD",
        "timeInterval": "year",
        "timeRange": {"mode": "last", "amount": NAME_MONTHS, "unit": "month", "includeCurrent": True},
        "group": [{"id": "project_id", "type": "fixed"}, {"id": "project_name", "type": "fixed"}],
    }
    answer = await fetch_query(call, config)
    names = await run_by_rows(len(answer["rows"]), read_project_names, answer)
    if names is None:
        return {}
    call.facts.put(PROJECT_NAMES_FACT, names, MAX_NAMES_BYTES)
    return names


def read_project_names(answer: JsonObject) -> dict[str, str] | None:
    """Return the names in a query's answer by id; None if it lacks columns."""
    columns = column_names(answer)
    if not {"project_id", "project_name"} <= set(columns):
        return None
    at, name_at = columns.index("project_id"), columns.index("project_name")
    return {str(row[at]): str(row[name_at]) for row in complete_rows(answer) if row[at] and row[name_at]}
