"""Queries of DataHub metrics: the units that costs are divided by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ...api.errors import ApiError
from ...api.nearest import MAX_LISTED_VALUES
from ...api.report_config import Metric, QueryConfig
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..costs.group_costs import CostRow, read_cost_rows
from ..costs.groups import GroupDimension
from ..costs.query_config import QueryInterval, cost_config
from ..costs.scope import Scope
from ..partial_results import describe_error
from ..periods.period import Period, month_of, subtract_months
from ..report_runs.queries import fetch_query

BILL_METRICS = frozenset(
    ("cost", "usage", "savings", "margin", "list_price", "list_cost", "amortized_cost", "amortized_savings")
)
"""Billing metrics. DataHub queries accept them, too, but cost divided by cost is not a unit cost."""
HISTORY_MONTHS = 13
"""Months that are searched for a metric before it counts as unknown."""


def units_config(
    metric: str, period: Period, interval: QueryInterval, groups: Sequence[GroupDimension] = ()
) -> QueryConfig:
    """Return the query for the sum of a DataHub metric."""
    wanted: Metric = {"type": "extended", "value": metric}
    # Units have no currency, but every cost query states one.
    config = cost_config(Scope(), period, "USD", interval=interval, groups=groups, metrics=[wanted])
    return {**config, "dataSource": "billing-datahub"}


async def query_units(
    call: Call, metric: str, period: Period, interval: QueryInterval, groups: Sequence[GroupDimension] = ()
) -> list[CostRow]:
    """Return the units by *groups* and *interval*, as rows whose cost is the number of units. Raise ApiError."""
    answer = await fetch_query(call, units_config(metric, period, interval, groups))
    units = _with_cost_column(answer, metric)
    return await run_by_rows(len(units["rows"]), read_cost_rows, units, groups, interval)


async def query_daily_units(call: Call, metric: str, period: Period) -> list[CostRow]:
    """Return the units by day. Raise ApiError; for an unknown metric, it lists the datasets that metrics come from."""
    try:
        return await query_units(call, metric, period, "day")
    except ApiError as error:
        # The query is the same for all metrics, so a refusal that names the metric is about its name.
        if error.kind != "refused" or metric.casefold() not in error.reason.casefold():
            raise
        raise await _unknown_metric_error(call, metric, "is not a DataHub metric") from error


def refuse_bill_metric(metric: str) -> None:
    """Raise ApiError for a billing metric, which does not count units of a business."""
    if metric.strip().casefold().replace(" ", "_").replace("-", "_") in BILL_METRICS:
        raise ApiError(
            f"metric: {short_json(metric)} is a billing metric. unit_cost divides cost by a metric of DataHub events, "
            "such as orders; list_datahub_datasets lists what is sent. For costs, use cost_breakdown or run_query",
            kind="argument",
        )


async def check_metric(call: Call, metric: str, today: date) -> None:
    """Raise ApiError if no event of the last months has this metric."""
    history = Period(subtract_months(today, HISTORY_MONTHS - 1), month_of(today).last)
    if not await query_units(call, metric, history, "month"):
        raise await _unknown_metric_error(call, metric, f"is in no DataHub event of the last {HISTORY_MONTHS} months")


async def _unknown_metric_error(call: Call, metric: str, what: str) -> ApiError:
    """Return the error for an unknown metric. The API lists only datasets with their descriptions, not metrics."""
    return ApiError(
        f"metric: {short_json(metric)} {what}. Metrics are the types in the events' metrics, such as orders. "
        f"Datasets: {await _describe_datasets(call)}",
        kind="argument",
    )


async def _describe_datasets(call: Call) -> str:
    try:
        rows = (await call.doit.datahub.list_datahub_datasets()).get("datasets")
    except ApiError as error:
        if error.kind == "credential":
            raise
        return f"unknown, {describe_error(error)}"
    described = [
        f"{short_json(row.get('name'))} ({short_json(row['description'])})"
        if row.get("description")
        else short_json(row.get("name"))
        for row in rows or ()
        if isinstance(row, dict)
    ]
    more = f" and {len(described) - MAX_LISTED_VALUES} more" if len(described) > MAX_LISTED_VALUES else ""
    return ", ".join(described[:MAX_LISTED_VALUES]) + more if described else "none"


def _with_cost_column(answer: JsonObject, metric: str) -> JsonObject:
    columns = [
        {**column, "name": "cost"} if isinstance(column, dict) and column.get("name") == metric else column
        for column in answer["columns"]
    ]
    return {**answer, "columns": columns}
