"""What the bill is made of, and the queries about cost that other tools ask too."""

from __future__ import annotations

from math import fsum
from typing import Annotated, Any, Literal, TypedDict

from ...api import Doit
from ...api.areas.reports import EXTRAS
from ...api.errors import ApiError
from ...api.report_config import Config, Metric, provider_of
from ...protocol.json_schema import Length, Range
from ...protocol.jsonrpc import JsonObject
from ..currencies import AskedCurrency, StatedCurrency, with_currency
from ..tables import columns_of, money, months_of, number, rows_of, total_of

COST: Metric = {"type": "basic", "value": "cost"}
DIMENSIONS = {
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


class Breakdown(TypedDict, total=False):
    """Costs by group and month."""

    rowCount: int
    columns: Annotated[list[JsonObject], "Name and type of each cell of a row."]
    rows: Annotated[list[list[Any]], "A list of cells for each group and month, the most expensive group first."]
    groups: Annotated[list[JsonObject], "Each group's name and its cost over the whole period."]
    total: Annotated[JsonObject, "shown: the groups above; other: all others together, null if not known; all: both."]
    currency: StatedCurrency
    period: Annotated[JsonObject, "months asked for, the running one included; first and last month with costs."]


async def cost_breakdown(
    doit: Doit,
    *,
    groupBy: Annotated[GroupBy, "What to split the cost by."],
    cloud: Cloud = None,
    months: Annotated[int, "How many months, the running one included.", Range(1, 24)] = 1,
    topN: Annotated[int, "How many groups; the others are added up.", Range(1, 25)] = 10,
    currency: AskedCurrency = None,
) -> Annotated[JsonObject, Breakdown]:
    """Show what the cloud bill is made of: the top services, projects (accounts, subscriptions) or clouds with their
    cost by month, and the rest as one sum. For other shapes of question, filters or metrics use run_query."""
    dimension = DIMENSIONS[groupBy]
    whole = cost_config(cloud, months, currency)
    answer, stated = await with_currency(doit, currency, doit.reports.run_query(config=top_of(whole, dimension, topN)))
    found = ranked(answer, dimension) | {"currency": stated, "period": {"months": months, **months_of(answer)}}
    if "groups" not in found:
        return found
    shown = fsum(group["cost"] for group in found["groups"])
    everything = shown if len(found["groups"]) < topN else await cost_of(doit, whole)
    return found | {"total": sums(shown, everything)}


def cost_config(cloud: str | None, months: int, currency: str | None = None) -> Config:
    """The query for cost by month, of the last *months* with the running one; the customer's currency unless given."""
    config: Config = {
        "dataSource": "billing",
        "metrics": [COST],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": months, "unit": "month", "includeCurrent": True},
    }
    if currency is not None:
        config["currency"] = currency  # type: ignore[typeddict-item]  # the arguments' schema has checked it
    if cloud is not None:
        config["filters"] = [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": [provider_of(cloud)]}]
    return config


def top_of(config: Config, dimension: str, top: int) -> Config:
    """*config* split by a dimension, its *top* values only."""
    return {
        **config,
        "group": [{"id": dimension, "type": "fixed", "limit": {"metric": COST, "sort": "desc", "value": top}}],
    }


async def cost_of(doit: Doit, config: Config) -> float | None:
    """The cost of everything that *config* asks for. None if the API fails: the top is worth showing without it."""
    try:
        return total_of(await doit.reports.run_query(config=config))
    except ApiError as error:
        if error.kind == "credential":
            raise
        return None


def ranked(answer: JsonObject, dimension: str) -> JsonObject:
    """A query's rows in order of their group's cost, and the groups' sums; as they are if the columns are not there."""
    shown = bare(answer)
    names = columns_of(answer)
    if dimension not in names or "cost" not in names:
        return shown
    group, cost = names.index(dimension), names.index("cost")
    cells: dict[Any, list[float]] = {}
    rows = rows_of(answer)
    for row in rows:
        cells.setdefault(row[group], []).append(number(row[cost]))
    order = sorted(cells, key=lambda name: -fsum(cells[name]))
    place = {name: index for index, name in enumerate(order)}
    return shown | {
        "rowCount": len(rows),
        "rows": sorted(rows, key=lambda row: place[row[group]]),
        "groups": [{"name": name, "cost": money(fsum(cells[name]))} for name in order],
    }


def bare(answer: JsonObject) -> JsonObject:
    """A query's answer without what only forecasts and comparisons fill."""
    return {name: value for name, value in answer.items() if name not in EXTRAS}


def sums(shown: float, everything: float | None) -> JsonObject:
    """What the shown groups and the others cost, and both together; null where that is not known."""
    if everything is None:
        return {"shown": money(shown), "other": None, "all": None}
    return {"shown": money(shown), "other": money(everything - shown), "all": money(everything)}
