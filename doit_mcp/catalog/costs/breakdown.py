"""Cost breakdown by service, project or cloud, and the cost queries that other tools share."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Annotated, Any, Literal, TypedDict

from ...api import Doit
from ...api.areas.reports import EXTRA_FIELDS
from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.report_config import Metric, QueryConfig, normalize_provider
from ...api.value_kinds import Day, Label, Members, Money, Verbatim
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ..currencies import CurrencyArgument, ResultCurrency, resolve_currency
from ..tables import column_names, column_total, complete_rows, month_range, round_to_cents, to_number
from ..tools.composed import composed_tool

COST_METRIC: Metric = {"type": "basic", "value": "cost"}
DIMENSION_IDS = {
    "service": "service_description",
    "project": "project_id",
    "cloud": "cloud_provider",
    "region": "region",
    "sku": "sku_description",
}

GroupBy = Literal["service", "project", "cloud"]
Cloud = Annotated[
    str | None,
    "Only this cloud: amazon-web-services (or aws), google-cloud (gcp), microsoft-azure (azure), or another "
    "provider's name in the data.",
    Length(1, 100),
]


class GroupCost(TypedDict):
    """The cost of one group over the whole period."""

    name: Annotated[str | None, Label]
    cost: Annotated[float, Money]


class CostTotals(TypedDict, total=False):
    """The cost of the groups in the result, of all other groups, and of both together."""

    shown: Annotated[float, Money]
    other: Annotated[float | None, Money]
    all: Annotated[float | None, Money]


class MonthRange(TypedDict, total=False):
    """The months that a result covers."""

    months: int
    first: Annotated[str, Day]
    last: Annotated[str, Day]


class CostBreakdown(TypedDict, total=False):
    """Costs by group and month."""

    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row.", Verbatim]
    rows: Annotated[
        list[list[Any]], "A list of cells for each group and month, the most expensive group first.", Verbatim
    ]
    groups: Annotated[list[JsonObject], "Each group's name and its cost over the whole period.", Members(GroupCost)]
    total: Annotated[
        JsonObject,
        "shown: the groups above; other: all others together, null if not known; all: both.",
        Members(CostTotals),
    ]
    currency: ResultCurrency
    period: Annotated[
        JsonObject, "months asked for, the running one included; first and last month with costs.", Members(MonthRange)
    ]


@composed_tool(area="reports", slow=True, default_list=True, result_table="query")
async def cost_breakdown(
    doit: Doit,
    *,
    groupBy: Annotated[GroupBy, "What to split the cost by."],
    cloud: Cloud = None,
    months: Annotated[int, "How many months, the running one included.", Range(1, 24)] = 1,
    topN: Annotated[int, "How many groups; the others are added up.", Range(1, 25)] = 10,
    currency: CurrencyArgument = None,
) -> Annotated[JsonObject, CostBreakdown]:
    """Break down cloud cost: the top services, projects (accounts, subscriptions) or clouds with their cost by month,
    and the rest as one sum. For other groupings, filters or metrics, use run_query."""
    dimension = DIMENSION_IDS[groupBy]
    whole = cost_query(cloud, months, currency)
    answer, stated = await resolve_currency(
        doit, currency, doit.reports.run_query(config=group_by_top(whole, dimension, topN))
    )
    found = rank_groups(answer, dimension) | {"currency": stated, "period": {"months": months, **month_range(answer)}}
    if "groups" not in found:
        return found
    shown = fsum(group["cost"] for group in found["groups"])
    everything = shown if len(found["groups"]) < topN else await fetch_total_cost(doit, whole)
    return found | {"total": cost_totals(shown, everything)}


def cost_query(cloud: str | None, months: int, currency: str | None = None) -> QueryConfig:
    """Return the query for cost by month of the last *months*, including the current one.

    Amounts are in the customer's currency unless one is given.
    """
    config: QueryConfig = {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": months, "unit": "month", "includeCurrent": True},
    }
    return with_scope(config, cloud, currency)


def with_scope(
    config: QueryConfig, cloud: str | None, currency: str | None, filters: Sequence[Filter] = ()
) -> QueryConfig:
    """Return *config* limited to a cloud and by *filters*, with its amounts in *currency*."""
    scope: QueryConfig = {}
    clouds: list[Filter] = []
    if cloud is not None:
        clouds.append({"id": "cloud_provider", "type": "fixed", "mode": "is", "values": [normalize_provider(cloud)]})
    if found := [*filters, *clouds]:
        scope["filters"] = found
    if currency is not None:
        scope["currency"] = currency  # type: ignore[typeddict-item]  # the arguments' schema has checked it
    return {**config, **scope}


def group_by_top(config: QueryConfig, dimension: str, top: int) -> QueryConfig:
    """Return *config* grouped by a dimension, limited to its *top* values."""
    return {
        **config,
        "group": [{"id": dimension, "type": "fixed", "limit": {"metric": COST_METRIC, "sort": "desc", "value": top}}],
    }


async def fetch_total_cost(doit: Doit, config: QueryConfig) -> float | None:
    """Return the total cost of *config*. None if the API fails: the top groups are useful without it."""
    try:
        return column_total(await doit.reports.run_query(config=config))
    except ApiError as error:
        if error.kind == "credential":
            raise
        return None


def rank_groups(answer: JsonObject, dimension: str) -> JsonObject:
    """Return a query's rows, ordered by their group's cost, and the groups' sums.

    The rows are unchanged if the columns are missing.
    """
    shown = without_extras(answer)
    names = column_names(answer)
    if dimension not in names or "cost" not in names:
        return shown
    group, cost = names.index(dimension), names.index("cost")
    cells: dict[Any, list[float]] = {}
    rows = complete_rows(answer)
    for row in rows:
        cells.setdefault(row[group], []).append(to_number(row[cost]))
    order = sorted(cells, key=lambda name: -fsum(cells[name]))
    place = {name: index for index, name in enumerate(order)}
    return shown | {
        "rowCount": len(rows),
        "rows": sorted(rows, key=lambda row: place[row[group]]),
        "groups": [{"name": name, "cost": round_to_cents(fsum(cells[name]))} for name in order],
    }


def without_extras(answer: JsonObject) -> JsonObject:
    """Return a query's response without the members that only forecasts and comparisons fill."""
    return {name: value for name, value in answer.items() if name not in EXTRA_FIELDS}


def cost_totals(shown: float, total: float | None) -> CostTotals:
    """What the shown groups and the others cost, and both together; null where that is not known."""
    if total is None:
        return {"shown": round_to_cents(shown), "other": None, "all": None}
    return {"shown": round_to_cents(shown), "other": round_to_cents(total - shown), "all": round_to_cents(total)}
