"""Queries of DataHub metrics: the units that costs are divided by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from ...api.errors import ApiError
from ...api.nearest import find_nearest, list_names
from ...api.report_config import Metric, QueryConfig
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.group_costs import CostRow, read_cost_rows
from ..costs.groups import GroupDimension
from ..costs.query_config import QueryInterval, cost_config
from ..costs.scope import Scope
from ..periods.period import Period, month_of, months_back

BASIC_METRICS = ("cost", "usage", "savings")
"""Types of event metrics that DataHub adds to the basic metrics of the same name. All others are extended ones."""
_NAME = re.compile(r"[A-Za-z][\w-]+")
HISTORY_MONTHS = 13
"""Months that are searched for a metric before it counts as unknown."""


def units_config(
    metric: str, period: Period, interval: QueryInterval, groups: Sequence[GroupDimension] = ()
) -> QueryConfig:
    """Return the query for the sum of a DataHub metric."""
    wanted: Metric = {"type": "basic" if metric in BASIC_METRICS else "extended", "value": metric}
    # Units have no currency, but the API converts a metric called cost.
    config = cost_config(Scope(), period, "USD", interval=interval, groups=groups, metrics=[wanted])
    return {**config, "dataSource": "billing-datahub"}


async def query_units(
    call: Call, metric: str, period: Period, interval: QueryInterval, groups: Sequence[GroupDimension] = ()
) -> list[CostRow]:
    """Return the units by *groups* and *interval*, as rows whose cost is the number of units. Raise ApiError."""
    try:
        answer = await call.doit.reports.run_query(config=units_config(metric, period, interval, groups))
    except ApiError as error:
        if error.kind != "refused":
            raise
        similar = ", ".join(await find_nearest(metric, set(_NAME.findall(error.reason)) - {metric}))
        hint = f". Did you mean {similar}?" if similar else ""
        raise ApiError(
            f"metric: {short_json(metric)} cannot be queried: {error.reason.rstrip('.')}{hint}", kind="argument"
        ) from error
    return read_cost_rows(_with_cost_column(answer, metric), groups, interval)


async def check_metric(call: Call, metric: str, today: date) -> None:
    """Raise ApiError if no event of the last months has a metric."""
    history = Period(months_back(today, HISTORY_MONTHS - 1), month_of(today).last)
    if await query_units(call, metric, history, "month"):
        return
    datasets = await call.doit.datahub.list_datahub_datasets()
    rows = datasets.get("datasets")
    names = {str(row.get("name")) for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()
    raise ApiError(
        f"metric: no DataHub event of the last {HISTORY_MONTHS} months has the metric {short_json(metric)}. Metrics are "
        f"the types in the events' metrics. Datasets: {list_names(sorted(names))}",
        kind="argument",
    )


def _with_cost_column(answer: JsonObject, metric: str) -> JsonObject:
    columns = [
        {**column, "name": "cost"} if isinstance(column, dict) and column.get("name") == metric else column
        for column in answer["columns"]
    ]
    return {**answer, "columns": columns}
